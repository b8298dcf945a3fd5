// l1_penalty: y = coefficient sum |x| / N.
// Shapes : x (N, ...) -> y ().     Dtypes: f32, f64.
// Saves  : x.      Grad  : dx = coefficient sign(x) dy / N, 0 at 0 and at NaN.
// Edge   : N == 0 and a scalar x throw; NaN makes y NaN.
// Kernels: baseline loops, summed in f64 in an order that no thread count changes. A strided x is copied.
//          Ref: the converting autoencoder's paper, section III-A.3 (coefficient 10e-8 on the encoder's
//          output); Keras' activity regularisers, which also divide by N.
#include "autograd/ops/l1_penalty.h"

#include <cmath>

#include "autograd/ops/mse_loss.h"

namespace cbnet::ops {

Shape L1Penalty::infer(const Args&, std::span<const Shape> in) {
  require(!in[0].empty() && in[0][0] > 0, kName, "x must have a first axis of at least 1; got ", in[0]);
  return {};
}

Tensor L1Penalty::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  saved.keep({x});
  const double sum = dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    return ordered_sum(x.numel(), [xs = x.data<T>()](std::int64_t i) { return std::abs(xs[i]); });
  });
  return Tensor::full({}, args.coefficient * sum / static_cast<double>(x.size(0)), x.dtype());
}

Gradients L1Penalty::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor& x = saved.tensors[0];
  return {dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    const T slope = static_cast<T>(args.coefficient * doutput.item() / static_cast<double>(x.size(0)));
    return map_elements<T>(x.shape(), [xs = x.data<T>(), slope](std::int64_t i) {
      return xs[i] > T(0) ? slope : (xs[i] < T(0) ? -slope : T(0));
    });
  })};
}

}  // namespace cbnet::ops
