// avg_pool2d: y[n,c,i,j] = the sum of a window of x, padding being 0, divided by the window's size.
// Shapes : x (N, C, H, W) -> y (N, C, OH, OW).     Dtypes: f32, f64.
// Saves  : x's shape.
// Grad   : dx = dy / size summed over the windows that hold the element.
// Edge   : the size is that of the window clipped to the padded input, or to the input itself without
//          count_include_pad; an empty batch stays empty; dilation other than 1 and padding as large as the
//          kernel throw.
// Kernels: pool2d (baseline loops). A strided x is copied first.
//          Ref: LeCun et al., "Gradient-based learning", section II; global: Lin et al., "Network in
//          network", section 3.2.
#include "autograd/ops/avg_pool2d.h"

#include "tensor/backend.h"

namespace cbnet {
namespace ops {
namespace {

Pool2dDims dims_of(const Pool2dOptions& options, const Shape& x) {
  return pool2d_dims(AvgPool2d::kName, x[0] * x[1], x[2], x[3], options);
}

}  // namespace

Shape AvgPool2d::infer(const Args& args, std::span<const Shape> in) {
  require(in[0].size() == 4, kName, "x must have 4 axes (N, C, H, W); got ", in[0]);
  require(args.options.dilation_h == 1 && args.options.dilation_w == 1, kName, "dilation must be 1; got (",
          args.options.dilation_h, ",", args.options.dilation_w, ")");
  const Pool2dDims dims = dims_of(args.options, in[0]);
  return {in[0][0], in[0][1], dims.oh, dims.ow};
}

Tensor AvgPool2d::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  const Pool2dDims dims = dims_of(args.options, x.shape());
  // One element is stretched to x's shape: it holds the shape without holding x.
  saved.keep({Tensor::empty({}, x).expand(x.shape())});
  Tensor y = Tensor::empty({x.size(0), x.size(1), dims.oh, dims.ow}, x);
  backend_of(x.device())
      .pool2d({.dtype = x.dtype(),
               .dims = dims,
               .average = true,
               .count_include_pad = args.count_include_pad,
               .x = x.address(),
               .y = y.address()});
  return y;
}

Gradients AvgPool2d::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor dy = doutput.contiguous();
  const Shape& shape = saved.tensors[0].shape();
  Tensor dx = Tensor::empty(shape, dy);
  backend_of(dy.device())
      .pool2d_backward({.dtype = dy.dtype(),
                        .dims = dims_of(args.options, shape),
                        .average = true,
                        .count_include_pad = args.count_include_pad,
                        .dy = dy.address(),
                        .dx = dx.address()});
  return {dx};
}

}  // namespace ops

Variable global_avg_pool2d(const Variable& x) {
  require(x.defined() && x.shape().size() == 4, "global_avg_pool2d", "x must have 4 axes (N, C, H, W); got ",
          [&] { return x.defined() ? to_string(x.shape()) : std::string("an undefined input"); });
  const std::int64_t h = x.size(2);
  const std::int64_t w = x.size(3);
  require(h >= 1 && w >= 1, "global_avg_pool2d", "there is no mean of nothing; got ", x.shape());
  return avg_pool2d(x, {h, w});
}

}  // namespace cbnet
