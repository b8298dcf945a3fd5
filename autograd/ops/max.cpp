// max: y = the largest element of x along `axis`.
// Shapes : x (..., S, ...) -> y without the axis; with `keepdim`, of size 1 there.     Dtypes: f32, f64.
// Saves  : x's shape, the index of every maximum.      Grad  : dx = dy at the maximum, 0 elsewhere; of
//          equal maxima the first gets it all.
// Edge   : S == 0 throws; NaN counts as largest, the first one found.
// Kernels: baseline loops, spread over the threads. A strided x is copied first.
#include "autograd/ops/max.h"

#include "autograd/ops/reshape.h"
#include "autograd/ops/sum.h"
#include "tensor/backend.h"

namespace cbnet {
namespace ops {
Shape Max::infer(const Args& args, std::span<const Shape> in) {
  Shape y = in[0];
  const std::int64_t axis = normalize_axis(args.axis, static_cast<std::int64_t>(y.size()), kName);
  require(y[static_cast<std::size_t>(axis)] > 0, kName, "there is no maximum of nothing; got x ", y,
          ", axis ", axis);
  if (args.keepdim) {
    y[static_cast<std::size_t>(axis)] = 1;
  } else {
    y.erase(y.begin() + axis);
  }
  return y;
}

Tensor Max::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  const Shape shapes[] = {x.shape()};
  Tensor y = Tensor::empty(infer(args, shapes), x);
  Tensor index = Tensor::empty(y.shape(), DType::i64, x.device());
  const auto [outer, size, inner] = split_at_axis(x.shape(), args.axis, kName);
  backend_of(x.device())
      .max({.dtype = x.dtype(),
            .outer = outer,
            .size = size,
            .inner = inner,
            .x = x.address(),
            .y = y.address(),
            .index = static_cast<std::int64_t*>(index.address())});
  // One element is stretched to x's shape: it holds the shape without holding x.
  saved.keep({Tensor::empty({}, x).expand(x.shape()), index});
  return y;
}

Gradients Max::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor dy = doutput.contiguous();
  const Tensor& index = saved.tensors[1];
  Tensor dx = Tensor::empty(saved.tensors[0].shape(), dy);
  const auto [outer, size, inner] = split_at_axis(dx.shape(), args.axis, kName);
  backend_of(dy.device())
      .max_backward({.dtype = dy.dtype(),
                     .outer = outer,
                     .size = size,
                     .inner = inner,
                     .dy = dy.address(),
                     .index = static_cast<const std::int64_t*>(index.address()),
                     .dx = dx.address()});
  return {dx};
}

}  // namespace ops

Variable max(const Variable& x) { return max(reshape(x, {x.value().numel()}), 0); }

}  // namespace cbnet
