// bce_loss: y = mean over all elements of -(t ln p + (1 - t) ln(1 - p)), each logarithm at least -100.
// Shapes : p (any), target t (same) -> y ().     Dtypes: f32, f64.
// Saves  : p, t.
// Grad   : dp = (p - t) / max(p (1 - p), 1e-12) dy / numel; dt = (ln(1 - p) - ln p) dy / numel.
// Edge   : no elements, and p outside [0, 1] or NaN, throw; t is not checked. The cut logarithms keep y
//          finite at p = 0 and p = 1; there dp is not y's derivative but a large pull towards t,
//          which a saturated sigmoid multiplies by 0: of logits take bce_with_logits.
// Kernels: baseline loops, summed in f64 in an order that no thread count changes. Strided inputs are copied.
//          Ref: Goodfellow et al., "Deep Learning", section 6.2.2.2; the cut is PyTorch's.
#include "autograd/ops/bce_loss.h"

#include "autograd/ops/mse_loss.h"

namespace cbnet::ops {
Shape BceLoss::infer(const Args&, std::span<const Shape> in) {
  require(in[0] == in[1], kName, "p and target must have the same shape; got ", in[0], " and ", in[1]);
  require(numel(in[0]) > 0, kName, "there is no mean of nothing; got ", in[0]);
  return {};
}

Tensor BceLoss::forward(const Args&, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  const Tensor target = in[1].contiguous();
  saved.keep({x, target}, {3, 1});
  const std::int64_t wrong = first_outside(x, 0.0, 1.0);
  require(
      wrong < 0, kName, "p must be in [0, 1]; got ",
      [&] { return x.view({x.numel()}).to(Device::cpu).at({wrong}); }, " at element ", wrong, " of ", x);
  return loss_of(LossKind::bce, x, target, 1.0, static_cast<double>(x.numel()));
}

Gradients BceLoss::backward(const Args&, const Saved& saved, const Tensor& doutput) {
  return loss_gradients(LossKind::bce, saved, 1.0, static_cast<double>(saved.tensors[0].numel()), doutput);
}

}  // namespace cbnet::ops
