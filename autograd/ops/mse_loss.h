#pragma once

#include "autograd/op.h"
#include "tensor/calls.h"

namespace cbnet {
namespace ops {

struct MseLoss {
  static constexpr const char* kName = "mse_loss";
  struct Args {};
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

// The losses share this.

/// Computes coefficient * the sum of a loss over the elements of x / divisor, a scalar; `target` is undefined
/// for l1.
Tensor loss_of(LossKind kind, const Tensor& x, const Tensor& target, double coefficient, double divisor);
/// Returns its gradients by x and, where there is one, by the target.
Gradients loss_gradients(LossKind kind, const Saved& saved, double coefficient, double divisor,
                         const Tensor& doutput);

}  // namespace ops

/// Takes the mean over all elements of (x - target)^2, a scalar.
/// Throws std::invalid_argument unless both have the same shape and at least one element.
inline Variable mse_loss(const Variable& x, const Variable& target) {
  return apply<ops::MseLoss>({}, {x, target});
}

}  // namespace cbnet
