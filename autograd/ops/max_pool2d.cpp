// max_pool2d: y[n,c,i,j] = max over ky, kx of x[n,c, i stride - padding + ky dilation, j stride - … + kx …].
// Shapes : x (N, C, H, W) -> y (N, C, OH, OW).     Dtypes: f32, f64.
// Saves  : where each maximum stood in its plane (i32, only when a gradient is asked for), x's shape.
// Grad   : dx = dy summed over the windows whose maximum stood there, 0 elsewhere.
// Edge   : of equal maxima the first gets the gradient; NaN counts as largest; padding is -inf, and a window
//          of padding only (possible with dilation) gives -inf and no gradient; an empty batch stays empty;
//          padding as large as the dilated kernel throws.
// Kernels: pool2d (4-lane vectors for f32 with kernel 2, stride 2, padding 0; baseline loops otherwise).
//          A strided x is copied first.       Ref: LeCun et al., "Gradient-based learning", section II.
#include "autograd/ops/max_pool2d.h"

#include "tensor/backend.h"

namespace cbnet::ops {
namespace {

Pool2dDims dims_of(const Pool2dOptions& options, const Shape& x) {
  return pool2d_dims(MaxPool2d::kName, x[0] * x[1], x[2], x[3], options);
}

}  // namespace

Shape MaxPool2d::infer(const Args& args, std::span<const Shape> in) {
  require(in[0].size() == 4, kName, "x must have 4 axes (N, C, H, W); got ", in[0]);
  const Pool2dDims dims = dims_of(args, in[0]);
  return {in[0][0], in[0][1], dims.oh, dims.ow};
}

Tensor MaxPool2d::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  Pool2dCall call{.dtype = x.dtype(), .dims = dims_of(args, x.shape()), .x = x.address()};
  const Shape shape = {x.size(0), x.size(1), call.dims.oh, call.dims.ow};
  Tensor y = Tensor::empty(shape, x);
  call.y = y.address();
  if (saved.needs_grad[0]) {
    Tensor argmax = Tensor::empty(shape, DType::i32, x.device());
    call.argmax = static_cast<std::int32_t*>(argmax.address());
    // One element is stretched to x's shape: it holds the shape without holding x.
    saved.keep({argmax, Tensor::empty({}, x).expand(x.shape())});
  }
  backend_of(x.device()).pool2d(call);
  return y;
}

Gradients MaxPool2d::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor dy = doutput.contiguous();
  const Tensor& argmax = saved.tensors[0];
  const Shape& shape = saved.tensors[1].shape();
  Tensor dx = Tensor::empty(shape, dy);
  backend_of(dy.device())
      .pool2d_backward({.dtype = dy.dtype(),
                        .dims = dims_of(args, shape),
                        .dy = dy.address(),
                        .argmax = static_cast<const std::int32_t*>(argmax.address()),
                        .dx = dx.address()});
  return {dx};
}

}  // namespace cbnet::ops
