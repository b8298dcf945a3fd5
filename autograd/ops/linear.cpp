// linear: y = x W^T + b.
// Shapes : x (N, in), W (out, in), b (out) -> y (N, out).     Dtypes: f32, f64.
// Saves  : x, W.      Grad  : dx = dy W; dW = dy^T x; db = sum over N of dy.
// Edge   : N == 0 gives an empty y and zero dW, db; in == 0 gives y = b.
// Kernels: gemm (avx2, avx512, OpenBLAS; a plain loop nest when the ISA is forced to scalar).
#include "autograd/ops/linear.h"

#include "autograd/ops/sum.h"
#include "tensor/backend.h"

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
  Tensor y = Tensor::empty({x.size(0), weight.size(0)}, x);
  if (args.has_bias) y.copy_from(in[2]);
  backend_of(x.device())
      .gemm({.dtype = x.dtype(),
             .transpose_b = true,
             .m = x.size(0),
             .n = weight.size(0),
             .k = x.size(1),
             .a = x.address(),
             .b = weight.address(),
             .beta = args.has_bias ? 1.0 : 0.0,
             .c = y.address()});
  return y;
}

Gradients Linear::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor& x = saved.tensors[0];
  const Tensor& weight = saved.tensors[1];
  const Tensor dy = doutput.contiguous();
  Gradients gradients(args.has_bias ? 3 : 2);
  if (saved.needs_grad[0]) {
    gradients[0] = Tensor::empty(x.shape(), x);
    backend_of(x.device())
        .gemm({.dtype = x.dtype(),
               .m = x.size(0),
               .n = x.size(1),
               .k = weight.size(0),
               .a = dy.address(),
               .b = weight.address(),
               .c = gradients[0].address()});
  }
  if (saved.needs_grad[1]) {
    gradients[1] = Tensor::empty(weight.shape(), x);
    backend_of(x.device())
        .gemm({.dtype = x.dtype(),
               .transpose_a = true,
               .m = weight.size(0),
               .n = x.size(1),
               .k = x.size(0),
               .a = dy.address(),
               .b = x.address(),
               .c = gradients[1].address()});
  }
  if (args.has_bias && saved.needs_grad[2]) gradients[2] = sum_axes(dy, {0}, /*keepdim=*/false);
  return gradients;
}

}  // namespace cbnet::ops
