#pragma once

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct L1Penalty {
  static constexpr const char* kName = "l1_penalty";
  struct Args {
    double coefficient = 0.0;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// y = coefficient * sum |x| / N, a scalar; N is the size of the first axis. An activity regulariser: add it
/// to the loss. Throws std::invalid_argument unless x has a first axis of at least 1.
inline Variable l1_penalty(const Variable& x, double coefficient) {
  return apply<ops::L1Penalty>({coefficient}, {x});
}

}  // namespace cbnet
