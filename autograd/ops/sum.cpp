// sum: y = the sum of x over `axes`.
// Shapes : x (any) -> y without the axes; with `keepdim`, of size 1 there.     Dtypes: f32, f64.
// Saves  : x's shape.      Grad  : dx = dy, stretched over the axes.
// Edge   : a sum of nothing is 0; no axes leave x as it is; NaN and opposite infinities give NaN.
// Kernels: baseline loops with sums in f64, cut into pieces of fixed size that are spread over the threads
//          and added in order, so that any thread count gives the same bits. A strided x is copied first.
#include "autograd/ops/sum.h"

#include <numeric>

#include "tensor/backend.h"

namespace cbnet {
namespace ops {
namespace {

std::vector<bool> mark_axes(const std::vector<std::int64_t>& axes, const Shape& shape, const char* where) {
  std::vector<bool> marked(shape.size(), false);
  for (const std::int64_t axis : axes) {
    const auto a =
        static_cast<std::size_t>(normalize_axis(axis, static_cast<std::int64_t>(shape.size()), where));
    require(!marked[a], where, "axes must differ; got ", axes, " for ", shape);
    marked[a] = true;
  }
  return marked;
}

}  // namespace

AxisSplit split_at_axis(const Shape& shape, std::int64_t axis, const char* where) {
  const std::int64_t at = normalize_axis(axis, static_cast<std::int64_t>(shape.size()), where);
  return {numel(Shape(shape.begin(), shape.begin() + at)), shape[static_cast<std::size_t>(at)],
          numel(Shape(shape.begin() + at + 1, shape.end()))};
}

Shape reduced_shape(const Shape& shape, const std::vector<std::int64_t>& axes, bool keepdim,
                    const char* where) {
  const std::vector<bool> reduced = mark_axes(axes, shape, where);
  Shape out;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (!reduced[axis]) {
      out.push_back(shape[axis]);
    } else if (keepdim) {
      out.push_back(1);
    }
  }
  return out;
}

Tensor sum_axes(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdim, double factor) {
  const std::vector<bool> summed = mark_axes(axes, x.shape(), Sum::kName);
  const Tensor dense = x.contiguous();
  Tensor y = Tensor::empty(reduced_shape(x.shape(), axes, /*keepdim=*/true, Sum::kName), x);
  std::vector<std::int64_t> strides = y.strides();
  for (std::size_t axis = 0; axis < strides.size(); ++axis) strides[axis] = summed[axis] ? 0 : strides[axis];
  backend_of(x.device())
      .sum({.dtype = x.dtype(),
            .factor = factor,
            .shape = x.shape(),
            .x = dense.address(),
            .y = y.address(),
            .y_strides = strides});
  return keepdim ? y : y.view(reduced_shape(x.shape(), axes, keepdim, Sum::kName));
}

Tensor stretch_back(const Tensor& doutput, const std::vector<std::int64_t>& axes, const Shape& shape) {
  // Reduced axes come back with size 1, which is always a view.
  Tensor dy = doutput;
  const std::vector<bool> reduced = mark_axes(axes, shape, Sum::kName);
  if (dy.rank() != static_cast<std::int64_t>(shape.size())) {
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (reduced[axis]) dy = dy.unsqueeze(static_cast<std::int64_t>(axis));
    }
  }
  return dy.expand(shape);
}

Shape Sum::infer(const Args& args, std::span<const Shape> in) {
  return reduced_shape(in[0], args.axes, args.keepdim, kName);
}

Tensor Sum::forward(const Args& args, Inputs in, Saved& saved) {
  // One element is stretched to x's shape: it holds the shape without holding x.
  saved.keep({Tensor::empty({}, in[0]).expand(in[0].shape())});
  return sum_axes(in[0], args.axes, args.keepdim);
}

Gradients Sum::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  return {stretch_back(doutput, args.axes, saved.tensors[0].shape())};
}

}  // namespace ops

Variable sum(const Variable& x) {
  std::vector<std::int64_t> axes(x.shape().size());
  std::iota(axes.begin(), axes.end(), std::int64_t{0});
  return sum(x, axes);
}

}  // namespace cbnet
