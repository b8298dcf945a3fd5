// mse_loss: y = mean over all elements of (x - t)^2.
// Shapes : x (any), target t (same) -> y ().     Dtypes: f32, f64.
// Saves  : x, t.      Grad  : dx = 2 (x - t) dy / numel; dt = -dx.
// Edge   : no elements throw; NaN and infinities follow IEEE 754.
// Kernels: baseline loops, summed in f64 in an order that no thread count changes. Strided inputs are copied.
//          Ref: Goodfellow et al., "Deep Learning", section 5.1.4.
#include "autograd/ops/mse_loss.h"

namespace cbnet::ops {

Shape MseLoss::infer(const Args&, std::span<const Shape> in) {
  require(in[0] == in[1], kName, "x and target must have the same shape; got ", in[0], " and ", in[1]);
  require(numel(in[0]) > 0, kName, "there is no mean of nothing; got ", in[0]);
  return {};
}

Tensor MseLoss::forward(const Args&, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  const Tensor target = in[1].contiguous();
  saved.keep({x, target});
  const double sum = dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    return ordered_sum(x.numel(), [xs = x.data<T>(), ts = target.data<T>()](std::int64_t i) {
      const double difference = static_cast<double>(xs[i]) - static_cast<double>(ts[i]);
      return difference * difference;
    });
  });
  return Tensor::full({}, sum / static_cast<double>(x.numel()), x.dtype());
}

Gradients MseLoss::backward(const Args&, const Saved& saved, const Tensor& doutput) {
  const Tensor& x = saved.tensors[0];
  const Tensor& target = saved.tensors[1];
  Gradients gradients(2);
  dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    const T factor = static_cast<T>(2.0 * doutput.item() / static_cast<double>(x.numel()));
    for (std::size_t input = 0; input < 2; ++input) {
      if (!saved.needs_grad[input]) continue;
      gradients[input] = map_elements<T>(
          x.shape(), [xs = x.data<T>(), ts = target.data<T>(),
                      f = input == 0 ? factor : -factor](std::int64_t i) { return f * (xs[i] - ts[i]); });
    }
  });
  return gradients;
}

}  // namespace cbnet::ops
