// reshape: the same elements in row-major order, with another shape.
// Shapes : x (any) -> y `shape`, of which one size may be -1.     Dtypes: f32, f64.
// Saves  : x's shape.      Grad  : dx = dy in x's shape.
// Edge   : () and (1) are one element each; -1 beside a size of 0 throws, as any size would fit.
// Kernels: none: a view of x where the strides allow it, a copy otherwise.
#include "autograd/ops/reshape.h"

namespace cbnet {
namespace ops {

Shape Reshape::infer(const Args& args, std::span<const Shape> in) {
  Shape shape = args.shape;
  std::int64_t unknown = 0;
  for (std::int64_t& size : shape) {
    require(size >= -1, kName, "sizes must be -1 or more; got ", args.shape);
    unknown += size == -1 ? 1 : 0;
    size = size == -1 ? 1 : size;
  }
  require(unknown <= 1, kName, "at most one size may be -1; got ", args.shape);
  const std::int64_t known = numel(shape);
  const std::int64_t have = numel(in[0]);
  require(unknown == 0 || known > 0, kName, "-1 beside a size of 0 has no single answer; got ", args.shape);
  require(unknown == 1 ? have % known == 0 : have == known, kName, "number of elements must not change; got ",
          in[0], " and ", args.shape);
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (args.shape[i] == -1) shape[i] = have / known;
  }
  return shape;
}

Tensor Reshape::forward(const Args& args, Inputs in, Saved& saved) {
  // One element is stretched to x's shape: it holds the shape without holding x.
  saved.keep({Tensor::empty({}, in[0]).expand(in[0].shape())});
  const Shape shapes[] = {in[0].shape()};
  return in[0].reshape(infer(args, shapes));
}

Gradients Reshape::backward(const Args&, const Saved& saved, const Tensor& doutput) {
  return {doutput.reshape(saved.tensors[0].shape())};
}

}  // namespace ops

Variable flatten(const Variable& x, std::int64_t start_axis) {
  const Shape& from = x.shape();
  const std::int64_t start = normalize_axis(start_axis, x.value().rank(), "flatten");
  Shape shape(from.begin(), from.begin() + start);
  shape.push_back(numel(Shape(from.begin() + start, from.end())));
  return reshape(x, shape);
}

}  // namespace cbnet
