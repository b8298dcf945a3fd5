// mse_loss: y = mean over all elements of (x - t)^2.
// Shapes : x (any), target t (same) -> y ().     Dtypes: f32, f64.
// Saves  : x, t.      Grad  : dx = 2 (x - t) dy / numel; dt = -dx.
// Edge   : no elements throw; NaN and infinities follow IEEE 754.
// Kernels: baseline loops, summed in f64 in an order that no thread count changes. Strided inputs are copied.
//          Ref: Goodfellow et al., "Deep Learning", section 5.1.4.
#include "autograd/ops/mse_loss.h"

#include "tensor/backend.h"

namespace cbnet::ops {

Shape MseLoss::infer(const Args&, std::span<const Shape> in) {
  require(in[0] == in[1], kName, "x and target must have the same shape; got ", in[0], " and ", in[1]);
  require(numel(in[0]) > 0, kName, "there is no mean of nothing; got ", in[0]);
  return {};
}

Tensor loss_of(LossKind kind, const Tensor& x, const Tensor& target, double coefficient, double divisor) {
  Tensor y = Tensor::empty({}, x);
  backend_of(x.device())
      .loss({.dtype = x.dtype(),
             .kind = kind,
             .count = x.numel(),
             .coefficient = coefficient,
             .divisor = divisor,
             .x = x.address(),
             .target = target.defined() ? target.address() : nullptr,
             .y = y.address()});
  return y;
}

Gradients loss_gradients(LossKind kind, const Saved& saved, double coefficient, double divisor,
                         const Tensor& doutput) {
  const std::vector<Tensor>& kept = saved.tensors;
  Gradients gradients(kept.size());
  void* addresses[2] = {};
  for (std::size_t input = 0; input < kept.size(); ++input) {
    if (!saved.needs_grad[input]) continue;
    gradients[input] = Tensor::empty(kept[input].shape(), kept[input]);
    addresses[input] = gradients[input].address();
  }
  backend_of(kept[0].device())
      .loss_backward({.dtype = kept[0].dtype(),
                      .kind = kind,
                      .count = kept[0].numel(),
                      .coefficient = coefficient,
                      .divisor = divisor,
                      .x = kept[0].address(),
                      .target = kept.size() > 1 ? kept[1].address() : nullptr,
                      .dy = doutput.address(),
                      .dx = addresses[0],
                      .dtarget = addresses[1]});
  return gradients;
}

Tensor MseLoss::forward(const Args&, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  const Tensor target = in[1].contiguous();
  saved.keep({x, target});
  return loss_of(LossKind::mse, x, target, 1.0, static_cast<double>(x.numel()));
}

Gradients MseLoss::backward(const Args&, const Saved& saved, const Tensor& doutput) {
  return loss_gradients(LossKind::mse, saved, 1.0, static_cast<double>(saved.tensors[0].numel()), doutput);
}

}  // namespace cbnet::ops
