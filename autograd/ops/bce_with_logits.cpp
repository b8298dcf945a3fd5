// bce_with_logits: y = mean over all elements of -(t ln p + (1 - t) ln(1 - p)), p = sigmoid(x).
// Shapes : x (any), target t (same) -> y ().     Dtypes: f32, f64.
// Saves  : x, t.
// Grad   : dx = (sigmoid(x) - t) dy / numel; dt = -x dy / numel.
// Edge   : no elements throw; t is not checked. With e = exp(-|x|), which cannot overflow, an element's loss
// is
//          ln(1 + e) + |x| times the share of the wrong side, 1 - t for x >= 0 and t below: nothing cancels,
//          and an infinite x costs nothing where its wrong side has no share.
// Kernels: baseline loops, in f64, summed in an order that no thread count changes. Strided inputs are
// copied.
//          Ref: Goodfellow et al., "Deep Learning", section 6.2.2.2.
#include "autograd/ops/bce_with_logits.h"

#include <cmath>

#include "autograd/ops/mse_loss.h"

namespace cbnet::ops {
namespace {

/// What the target gives to the side of 0 on which x is not.
double wrong_share(double x, double t) { return x >= 0.0 ? 1.0 - t : t; }

double element_loss(double x, double t) {
  const double share = wrong_share(x, t);
  return std::log1p(std::exp(-std::abs(x))) + (share == 0.0 ? 0.0 : share * std::abs(x));
}

/// sigmoid(x) - t.
double element_slope(double x, double t) {
  const double e = std::exp(-std::abs(x));
  const double rest = e / (1.0 + e);  // of the sigmoid on the side of 0 on which x is not
  return x >= 0.0 ? wrong_share(x, t) - rest : rest - wrong_share(x, t);
}

}  // namespace

Shape BceWithLogits::infer(const Args&, std::span<const Shape> in) {
  require(in[0] == in[1], kName, "x and target must have the same shape; got ", in[0], " and ", in[1]);
  require(numel(in[0]) > 0, kName, "there is no mean of nothing; got ", in[0]);
  return {};
}

Tensor BceWithLogits::forward(const Args&, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  const Tensor target = in[1].contiguous();
  saved.keep({x, target}, {3, 1});
  const double sum = dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    return ordered_sum(x.numel(), [xs = x.data<T>(), ts = target.data<T>()](std::int64_t i) {
      return element_loss(static_cast<double>(xs[i]), static_cast<double>(ts[i]));
    });
  });
  return Tensor::full({}, sum / static_cast<double>(x.numel()), x.dtype());
}

Gradients BceWithLogits::backward(const Args&, const Saved& saved, const Tensor& doutput) {
  const Tensor& x = saved.tensors[0];
  const Tensor& target = saved.tensors[1];
  Gradients gradients(2);
  dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    const T* xs = x.data<T>();
    const T* ts = target.data<T>();
    const double factor = doutput.item() / static_cast<double>(x.numel());
    if (saved.needs_grad[0]) {
      gradients[0] = map_elements<T>(x.shape(), [xs, ts, factor](std::int64_t i) {
        return static_cast<T>(factor * element_slope(static_cast<double>(xs[i]), static_cast<double>(ts[i])));
      });
    }
    if (saved.needs_grad[1]) {
      gradients[1] = map_elements<T>(x.shape(), [xs, factor](std::int64_t i) {
        return static_cast<T>(-factor * static_cast<double>(xs[i]));
      });
    }
  });
  return gradients;
}

}  // namespace cbnet::ops
