// mean: y = the sum of x over `axes` / M, M the number of elements summed into one.
// Shapes : x (any) -> y without the axes; with `keepdim`, of size 1 there.     Dtypes: f32, f64.
// Saves  : x's shape.      Grad  : dx = dy / M, stretched over the axes.
// Edge   : a mean of nothing is NaN; no axes leave x as it is.
// Kernels: those of sum; the sum is divided in f64, so an f32 mean overflows only when it is too large
// itself.
#include "autograd/ops/mean.h"

#include <numeric>

#include "autograd/ops/sum.h"

namespace cbnet {
namespace ops {
namespace {

/// This is 1 / M; infinite for M == 0, which makes the mean of nothing 0 * inf = NaN.
double weight(const Shape& shape, const std::vector<std::int64_t>& axes) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  double count = 1.0;
  for (const std::int64_t axis : axes) {
    count *= static_cast<double>(shape[static_cast<std::size_t>(normalize_axis(axis, rank, Mean::kName))]);
  }
  return 1.0 / count;
}

}  // namespace

Shape Mean::infer(const Args& args, std::span<const Shape> in) {
  return reduced_shape(in[0], args.axes, args.keepdim, kName);
}

Tensor Mean::forward(const Args& args, Inputs in, Saved& saved) {
  // One element is stretched to x's shape: it holds the shape without holding x.
  saved.keep({Tensor::empty({}, in[0]).expand(in[0].shape())});
  return sum_axes(in[0], args.axes, args.keepdim, weight(in[0].shape(), args.axes));
}

Gradients Mean::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Shape& shape = saved.tensors[0].shape();
  Tensor dy = doutput.clone();
  dy.scale(weight(shape, args.axes));
  return {stretch_back(dy, args.axes, shape)};
}

}  // namespace ops

Variable mean(const Variable& x) {
  std::vector<std::int64_t> axes(x.shape().size());
  std::iota(axes.begin(), axes.end(), std::int64_t{0});
  return mean(x, axes);
}

}  // namespace cbnet
