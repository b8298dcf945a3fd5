// max_pool2d: y[n,c,i,j] = max over ky, kx of x[n,c, i stride - padding + ky dilation, j stride - … + kx …].
// Shapes : x (N, C, H, W) -> y (N, C, OH, OW).     Dtypes: f32, f64.
// Saves  : where each maximum stood in its plane (i32, only when a gradient is asked for), x's shape.
// Grad   : dx = dy summed over the windows whose maximum stood there, 0 elsewhere.
// Edge   : of equal maxima the first gets the gradient; NaN counts as largest; padding is -inf, and a window
//          of padding only (possible with dilation) gives -inf and no gradient; an empty batch stays empty;
//          padding above half the dilated kernel throws.
// Kernels: pool2d (4-lane vectors for f32 with kernel 2, stride 2, padding 0; baseline loops otherwise).
//          A strided x is copied first.       Ref: LeCun et al., "Gradient-based learning", section II.
#include "autograd/ops/max_pool2d.h"

namespace cbnet::ops {
namespace {

kernels::Pool2dDims dims_of(const Pool2dOptions& options, const Shape& x) {
  return kernels::pool2d_dims(MaxPool2d::kName, x[0] * x[1], x[2], x[3], options);
}

}  // namespace

Shape MaxPool2d::infer(const Args& args, std::span<const Shape> in) {
  require(in[0].size() == 4, kName, "x must have 4 axes (N, C, H, W); got ", in[0]);
  const kernels::Pool2dDims dims = dims_of(args, in[0]);
  return {in[0][0], in[0][1], dims.oh, dims.ow};
}

Tensor MaxPool2d::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  const kernels::Pool2dDims dims = dims_of(args, x.shape());
  const Shape shape = {x.size(0), x.size(1), dims.oh, dims.ow};
  Tensor y = Tensor::empty(shape, x.dtype());
  std::int32_t* where = nullptr;
  if (saved.needs_grad[0]) {
    Tensor argmax = Tensor::empty(shape, DType::i32);
    where = argmax.data<std::int32_t>();
    // One element stretched to x's shape: it holds the shape without holding x.
    saved.keep({argmax, Tensor::empty({}, x.dtype()).expand(x.shape())});
  }
  dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    kernels::max_pool2d<T>(x.data<T>(), y.data<T>(), where, dims);
  });
  return y;
}

Gradients MaxPool2d::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor dy = doutput.contiguous();
  const Shape& shape = saved.tensors[1].shape();
  Tensor dx = Tensor::empty(shape, dy.dtype());
  dispatch_floating(dy.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    kernels::max_pool2d_backward<T>(dy.data<T>(), saved.tensors[0].data<std::int32_t>(), dx.data<T>(),
                                    dims_of(args, shape));
  });
  return {dx};
}

}  // namespace cbnet::ops
