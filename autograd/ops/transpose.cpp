// transpose: y = x with its axes in another order: size(y, i) = size(x, permutation[i]).
// Shapes : x (any) -> y, permuted.     Dtypes: f32, f64.
// Saves  : nothing.      Grad  : dx = dy, permuted back.
// Edge   : a scalar takes the empty permutation.
// Kernels: none: y is a view of x, and dx one of dy.
#include "autograd/ops/transpose.h"

#include <numeric>

namespace cbnet {
namespace ops {

Shape Transpose::infer(const Args& args, std::span<const Shape> in) {
  const Shape& x = in[0];
  const Shape& permutation = args.permutation;
  require(permutation.size() == x.size(), kName, "the permutation must name every axis once; got x ", x,
          ", permutation ", permutation);
  Shape y;
  std::vector<bool> seen(x.size(), false);
  for (const std::int64_t axis : permutation) {
    const std::int64_t rank = static_cast<std::int64_t>(x.size());
    const auto a = static_cast<std::size_t>(normalize_axis(axis, rank, kName));
    require(!seen[a], kName, "the permutation must name every axis once; got x ", x, ", permutation ",
            permutation);
    seen[a] = true;
    y.push_back(x[a]);
  }
  return y;
}

Tensor Transpose::forward(const Args& args, Inputs in, Saved&) { return in[0].permute(args.permutation); }

Gradients Transpose::backward(const Args& args, const Saved&, const Tensor& doutput) {
  const std::int64_t rank = doutput.rank();
  std::vector<std::int64_t> inverse(args.permutation.size());
  for (std::int64_t i = 0; i < rank; ++i) {
    const std::int64_t axis = normalize_axis(args.permutation[static_cast<std::size_t>(i)], rank, kName);
    inverse[static_cast<std::size_t>(axis)] = i;
  }
  return {doutput.permute(inverse)};
}

}  // namespace ops

Variable transpose(const Variable& x, std::int64_t axis_a, std::int64_t axis_b) {
  const std::int64_t rank = x.value().rank();
  std::vector<std::int64_t> permutation(static_cast<std::size_t>(rank));
  std::iota(permutation.begin(), permutation.end(), std::int64_t{0});
  std::swap(permutation[static_cast<std::size_t>(normalize_axis(axis_a, rank, ops::Transpose::kName))],
            permutation[static_cast<std::size_t>(normalize_axis(axis_b, rank, ops::Transpose::kName))]);
  return transpose(x, permutation);
}

}  // namespace cbnet
