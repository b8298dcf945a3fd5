// linear: y = x W^T + b.
// Shapes : x (N, in), W (out, in), b (out) -> y (N, out).     Dtypes: f32, f64.
// Saves  : x, W.      Grad  : dx = dy W; dW = dy^T x; db = sum over N of dy.
// Edge   : N == 0 gives an empty y and zero dW, db; in == 0 gives y = b.
// Kernels: gemm (avx2, avx512, OpenBLAS; a plain loop nest when the ISA is forced to scalar).
#include "autograd/ops/linear.h"

#include "autograd/ops/sum.h"
#include "tensor/blas.h"

namespace cbnet::ops {

Shape Linear::infer(const Args& args, std::span<const Shape> in) {
  require(in[0].size() == 2 && in[1].size() == 2, kName, "x and weight must have 2 axes; got x ", in[0],
          ", weight ", in[1]);
  require(in[0][1] == in[1][1], kName, "input features must equal weight's second size; got x ", in[0],
          ", weight ", in[1]);
  require(!args.has_bias || in[2] == Shape{in[1][0]}, kName, "bias must be (out); got weight ", in[1],
          ", bias ", [&] { return args.has_bias ? in[2] : Shape{}; });
  return {in[0][0], in[1][0]};
}

Tensor Linear::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  const Tensor weight = in[1].contiguous();
  saved.keep({x, weight}, {2, 1});  // each is a factor of the other's gradient
  const std::int64_t n = x.size(0);
  const std::int64_t features = x.size(1);
  const std::int64_t out = weight.size(0);
  Tensor y = Tensor::empty({n, out}, x.dtype());
  if (args.has_bias) y.copy_from(in[2]);
  dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    gemm<T>(false, true, n, out, features, T(1), x.data<T>(), features, weight.data<T>(), features,
            args.has_bias ? T(1) : T(0), y.data<T>(), out);
  });
  return y;
}

Gradients Linear::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor& x = saved.tensors[0];
  const Tensor& weight = saved.tensors[1];
  const Tensor dy = doutput.contiguous();
  const std::int64_t n = x.size(0);
  const std::int64_t features = x.size(1);
  const std::int64_t out = weight.size(0);
  Gradients gradients(args.has_bias ? 3 : 2);
  dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    if (saved.needs_grad[0]) {
      gradients[0] = Tensor::empty({n, features}, x.dtype());
      gemm<T>(false, false, n, features, out, T(1), dy.data<T>(), out, weight.data<T>(), features, T(0),
              gradients[0].data<T>(), features);
    }
    if (saved.needs_grad[1]) {
      gradients[1] = Tensor::empty({out, features}, x.dtype());
      gemm<T>(true, false, out, features, n, T(1), dy.data<T>(), out, x.data<T>(), features, T(0),
              gradients[1].data<T>(), features);
    }
  });
  if (args.has_bias && saved.needs_grad[2]) gradients[2] = sum_axes(dy, {0}, /*keepdim=*/false);
  return gradients;
}

}  // namespace cbnet::ops
