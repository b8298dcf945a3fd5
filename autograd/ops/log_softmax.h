#pragma once

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct LogSoftmax {
  static constexpr const char* kName = "log_softmax";
  struct Args {
    std::int64_t axis = -1;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// y = ln softmax(x) along `axis`, which may be negative, finite where softmax underflows. Same shape.
/// Throws std::invalid_argument when x lacks the axis or has no elements along it.
inline Variable log_softmax(const Variable& x, std::int64_t axis = -1) {
  return apply<ops::LogSoftmax>({axis}, {x});
}

}  // namespace cbnet
