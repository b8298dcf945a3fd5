#pragma once

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct BceWithLogits {
  static constexpr const char* kName = "bce_with_logits";
  struct Args {};
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// Computes the binary cross-entropy of p = sigmoid(x): mean over all elements of -(t ln p + (1 - t) ln(1 -
/// p)), a scalar. Unlike bce_loss(sigmoid(x), t) it is exact for logits of any size, and so is its gradient.
/// Throws std::invalid_argument unless both have the same shape and at least one element.
inline Variable bce_with_logits(const Variable& x, const Variable& target) {
  return apply<ops::BceWithLogits>({}, {x, target});
}

}  // namespace cbnet
