// softmax: y_i = exp(x_i - max x) / sum_j exp(x_j - max x), along `axis`.
// Shapes : x (..., C, ...) -> y same.     Dtypes: f32, f64.
// Saves  : y.      Grad  : dx = y (dy - sum(dy y)).
// Edge   : C == 0 throws; a line of -inf, or with NaN or +inf in it, gives NaN; f32 below 1.7e-38 becomes 0.
// Kernels: softmax (baseline loops that vectorise; exp of f32 within 2 ulp). A strided x is copied first.
//          Ref: Goodfellow et al., "Deep Learning", sections 4.1 and 6.2.2.3.
#include "autograd/ops/softmax.h"

#include "autograd/ops/sum.h"
#include "tensor/backend.h"

namespace cbnet::ops {

Shape Softmax::infer(const Args& args, std::span<const Shape> in) {
  require(split_at_axis(in[0], args.axis, kName).size > 0, kName,
          "there must be something along the axis; got x ", in[0], ", axis ", args.axis);
  return in[0];
}

Tensor Softmax::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  Tensor y = Tensor::empty(x.shape(), x);
  saved.keep({y});
  const auto [outer, size, inner] = split_at_axis(x.shape(), args.axis, kName);
  backend_of(x.device())
      .softmax({.dtype = x.dtype(),
                .kind = SoftmaxKind::softmax,
                .outer = outer,
                .channels = size,
                .inner = inner,
                .x = x.address(),
                .y = y.address()});
  return y;
}

Gradients Softmax::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor& y = saved.tensors[0];
  const Tensor dy = doutput.contiguous();
  Tensor dx = Tensor::empty(y.shape(), y);
  const auto [outer, size, inner] = split_at_axis(y.shape(), args.axis, kName);
  backend_of(y.device())
      .softmax_backward({.dtype = y.dtype(),
                         .kind = SoftmaxKind::softmax,
                         .outer = outer,
                         .channels = size,
                         .inner = inner,
                         .y = y.address(),
                         .dy = dy.address(),
                         .dx = dx.address()});
  return {dx};
}

}  // namespace cbnet::ops
