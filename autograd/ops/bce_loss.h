#pragma once

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct BceLoss {
  static constexpr const char* kName = "bce_loss";
  struct Args {};
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

template <>
inline constexpr bool kKeepsSubnormals<ops::BceLoss> = true;

/// Computes binary cross-entropy: mean over all elements of -(t ln p + (1 - t) ln(1 - p)), a scalar; p are
/// probabilities. Logarithms are cut off at -100.
/// bce_with_logits is the better op behind a sigmoid: near 0 and 1 p has lost what the gradient is made of,
/// and bce_loss(sigmoid(x), t) then pulls too weakly at x or, where the sigmoid is saturated, not at all.
/// Throws std::invalid_argument unless both have the same shape, at least one element, and p is in [0, 1].
inline Variable bce_loss(const Variable& p, const Variable& target) {
  return apply<ops::BceLoss>({}, {p, target});
}

}  // namespace cbnet
