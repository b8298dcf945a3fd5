#pragma once

#include "autograd/op.h"
#include "tensor/calls.h"

namespace cbnet {
namespace ops {

struct Softmax {
  static constexpr const char* kName = "softmax";
  struct Args {
    std::int64_t axis = -1;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

/// softmax and log_softmax share the rule, the values and the gradient; x and y (outer, C, inner) along
/// `axis`. lines_shape throws "[op] …" where x lacks the axis or has nothing along it.
Shape lines_shape(const char* op, const Shape& x, std::int64_t axis);
Tensor softmax_lines(SoftmaxKind kind, const Tensor& x, std::int64_t axis);
Tensor softmax_lines_backward(SoftmaxKind kind, const Tensor& y, const Tensor& dy, std::int64_t axis);

}  // namespace ops

/// Computes exp(x) scaled to a sum of 1 along `axis`, which may be negative. Same shape.
/// Throws std::invalid_argument when x lacks the axis or has no elements along it.
inline Variable softmax(const Variable& x, std::int64_t axis = -1) {
  return apply<ops::Softmax>({axis}, {x});
}

}  // namespace cbnet
