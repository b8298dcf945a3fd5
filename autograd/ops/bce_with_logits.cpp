// bce_with_logits: y = mean over all elements of -(t ln p + (1 - t) ln(1 - p)), p = sigmoid(x).
// Shapes : x (any), target t (same) -> y ().     Dtypes: f32, f64.
// Saves  : x, t.
// Grad   : dx = (sigmoid(x) - t) dy / numel; dt = -x dy / numel.
// Edge   : no elements throw; t is not checked. With e = exp(-|x|), which cannot overflow, an element's loss
// is
//          ln(1 + e) + |x| times the fraction of the wrong side, 1 - t for x >= 0 and t below: nothing
//          cancels, and an infinite x costs nothing where that fraction is 0.
// Kernels: baseline loops, in f64, summed in an order that no thread count changes. Strided inputs are
// copied.
//          Ref: Goodfellow et al., "Deep Learning", section 6.2.2.2.
#include "autograd/ops/bce_with_logits.h"

#include "autograd/ops/mse_loss.h"

namespace cbnet::ops {
Shape BceWithLogits::infer(const Args&, std::span<const Shape> in) {
  require(in[0] == in[1], kName, "x and target must have the same shape; got ", in[0], " and ", in[1]);
  require(numel(in[0]) > 0, kName, "there is no mean of nothing; got ", in[0]);
  return {};
}

Tensor BceWithLogits::forward(const Args&, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  const Tensor target = in[1].contiguous();
  saved.keep({x, target}, {3, 1});
  return loss_of(LossKind::bce_with_logits, x, target, 1.0, static_cast<double>(x.numel()));
}

Gradients BceWithLogits::backward(const Args&, const Saved& saved, const Tensor& doutput) {
  return loss_gradients(LossKind::bce_with_logits, saved, 1.0, static_cast<double>(saved.tensors[0].numel()),
                        doutput);
}

}  // namespace cbnet::ops
