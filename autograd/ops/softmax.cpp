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

Shape lines_shape(const char* op, const Shape& x, std::int64_t axis) {
  require(split_at_axis(x, axis, op).size > 0, op, "there must be something along the axis; got x ", x,
          ", axis ", axis);
  return x;
}

Tensor softmax_lines(SoftmaxKind kind, const Tensor& x, std::int64_t axis) {
  const Tensor from = x.contiguous();
  Tensor y = Tensor::empty(from.shape(), from);
  const auto [outer, size, inner] = split_at_axis(from.shape(), axis, "softmax");
  backend_of(from.device())
      .softmax({.dtype = from.dtype(),
                .kind = kind,
                .outer = outer,
                .channels = size,
                .inner = inner,
                .x = from.address(),
                .y = y.address()});
  return y;
}

Tensor softmax_lines_backward(SoftmaxKind kind, const Tensor& y, const Tensor& dy, std::int64_t axis) {
  const Tensor from = dy.contiguous();
  Tensor dx = Tensor::empty(y.shape(), y);
  const auto [outer, size, inner] = split_at_axis(y.shape(), axis, "softmax");
  backend_of(y.device())
      .softmax_backward({.dtype = y.dtype(),
                         .kind = kind,
                         .outer = outer,
                         .channels = size,
                         .inner = inner,
                         .y = y.address(),
                         .dy = from.address(),
                         .dx = dx.address()});
  return dx;
}

Shape Softmax::infer(const Args& args, std::span<const Shape> in) {
  return lines_shape(kName, in[0], args.axis);
}

Tensor Softmax::forward(const Args& args, Inputs in, Saved& saved) {
  Tensor y = softmax_lines(SoftmaxKind::softmax, in[0], args.axis);
  saved.keep({y});
  return y;
}

Gradients Softmax::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  return {softmax_lines_backward(SoftmaxKind::softmax, saved.tensors[0], doutput, args.axis)};
}

}  // namespace cbnet::ops
