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

#include <algorithm>
#include <cmath>

#include "autograd/ops/mse_loss.h"

namespace cbnet::ops {
namespace {

constexpr double kLeastLog = -100.0;
constexpr double kLeastVariance = 1e-12;

double log_of(double p) { return std::max(std::log(p), kLeastLog); }

/// ln(1 - p); 1 - p of an f32 is exact enough in f64.
double log_of_rest(float p) { return log_of(1.0 - static_cast<double>(p)); }
double log_of_rest(double p) { return std::max(std::log1p(-p), kLeastLog); }

}  // namespace

Shape BceLoss::infer(const Args&, std::span<const Shape> in) {
  require(in[0] == in[1], kName, "p and target must have the same shape; got ", in[0], " and ", in[1]);
  require(numel(in[0]) > 0, kName, "there is no mean of nothing; got ", in[0]);
  return {};
}

Tensor BceLoss::forward(const Args&, Inputs in, Saved& saved) {
  const Tensor p = in[0].contiguous();
  const Tensor target = in[1].contiguous();
  saved.keep({p, target}, {3, 1});
  const double sum = dispatch_floating(p.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    const T* ps = p.data<T>();
    const T* wrong = std::find_if(ps, ps + p.numel(), [](T v) { return !(v >= T(0) && v <= T(1)); });
    if (wrong != ps + p.numel()) {
      require(false, kName, "p must be in [0, 1]; got ", *wrong, " at element ", wrong - ps, " of ", p);
    }
    return ordered_sum(p.numel(), [ps, ts = target.data<T>()](std::int64_t i) {
      const double t = static_cast<double>(ts[i]);
      return -(t * log_of(static_cast<double>(ps[i])) + (1.0 - t) * log_of_rest(ps[i]));
    });
  });
  return Tensor::full({}, sum / static_cast<double>(p.numel()), p.dtype());
}

Gradients BceLoss::backward(const Args&, const Saved& saved, const Tensor& doutput) {
  const Tensor& p = saved.tensors[0];
  const Tensor& target = saved.tensors[1];
  Gradients gradients(2);
  dispatch_floating(p.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    const T* ps = p.data<T>();
    const T* ts = target.data<T>();
    const double factor = doutput.item() / static_cast<double>(p.numel());
    if (saved.needs_grad[0]) {
      gradients[0] = map_elements<T>(p.shape(), [ps, ts, f = static_cast<T>(factor)](std::int64_t i) {
        return f * (ps[i] - ts[i]) / std::max(ps[i] * (T(1) - ps[i]), static_cast<T>(kLeastVariance));
      });
    }
    if (saved.needs_grad[1]) {
      gradients[1] = map_elements<T>(p.shape(), [ps, factor](std::int64_t i) {
        return static_cast<T>(factor * (log_of_rest(ps[i]) - log_of(static_cast<double>(ps[i]))));
      });
    }
  });
  return gradients;
}

}  // namespace cbnet::ops
