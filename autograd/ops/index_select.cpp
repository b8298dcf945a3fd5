// index_select: y[..., j, ...] = x[..., index[j], ...] along `axis`.
// Shapes : x (..., S, ...), index i64 (M) -> y (..., M, ...).     Dtypes: f32, f64.
// Saves  : x's shape, a copy of index.      Grad  : dx[..., i, ...] = sum over j with index[j] == i of
//          dy[..., j, ...], in order of j.
// Edge   : M == 0 gives an empty y and a zero dx; an index outside [0, S) throws, negative ones included.
// Kernels: baseline loops over contiguous rows, spread over the threads.
#include "autograd/ops/index_select.h"

#include <algorithm>

#include "autograd/ops/sum.h"
#include "tensor/parallel.h"

namespace cbnet::ops {
namespace {

constexpr std::int64_t kGrainElements = 1 << 15;

}  // namespace

Shape IndexSelect::infer(const Args& args, std::span<const Shape> in) {
  const auto axis =
      static_cast<std::size_t>(normalize_axis(args.axis, static_cast<std::int64_t>(in[0].size()), kName));
  require(args.index.defined() && args.index.dtype() == DType::i64 && args.index.rank() == 1, kName,
          "index must be i64 with 1 axis; got ", args.index);
  for (const std::int64_t i : args.index.to_vector<std::int64_t>()) {
    require(i >= 0 && i < in[0][axis], kName, "index must be in [0, ", in[0][axis], "); got ", i, " for x ",
            in[0], ", axis ", axis);
  }
  Shape y = in[0];
  y[axis] = args.index.numel();
  return y;
}

Tensor IndexSelect::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor x = in[0].contiguous();
  // One element stretched to x's shape: it holds the shape without holding x.
  saved.keep({Tensor::empty({}, x.dtype()).expand(x.shape()), args.index.clone()});
  const Shape shapes[] = {x.shape()};
  Tensor y = Tensor::empty(infer(args, shapes), x.dtype());
  const std::vector<std::int64_t> index = args.index.to_vector<std::int64_t>();
  const std::int64_t picks = args.index.numel();
  const AxisSplit layout = split_at_axis(x.shape(), args.axis, kName);
  dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    const T* from = x.data<T>();
    T* to = y.data<T>();
    const std::int64_t inner = layout.inner;
    parallel_for(layout.outer * picks, kGrainElements / std::max<std::int64_t>(inner, 1) + 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t row = begin; row < end; ++row) {
                     const std::int64_t picked = index[static_cast<std::size_t>(row % picks)];
                     std::copy_n(from + (row / picks * layout.size + picked) * inner, inner,
                                 to + row * inner);
                   }
                 });
  });
  return y;
}

Gradients IndexSelect::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor dy = doutput.contiguous();
  Tensor dx = Tensor::zeros(saved.tensors[0].shape(), dy.dtype());
  const std::vector<std::int64_t> index = saved.tensors[1].to_vector<std::int64_t>();
  const auto picks = static_cast<std::int64_t>(index.size());
  const AxisSplit layout = split_at_axis(dx.shape(), args.axis, kName);
  dispatch_floating(dy.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    const T* from = dy.data<T>();
    T* to = dx.data<T>();
    // Threads own disjoint parts of dx, so that repeated indices add up in order.
    const auto add = [&](std::int64_t outer, std::int64_t begin, std::int64_t end) {
      for (std::int64_t j = 0; j < picks; ++j) {
        const T* source = from + (outer * picks + j) * layout.inner;
        T* target = to + (outer * layout.size + index[static_cast<std::size_t>(j)]) * layout.inner;
        for (std::int64_t i = begin; i < end; ++i) target[i] += source[i];
      }
    };
    if (layout.outer == 1) {
      parallel_for(layout.inner, kGrainElements / std::max<std::int64_t>(picks, 1) + 1,
                   [&](std::int64_t begin, std::int64_t end) { add(0, begin, end); });
    } else {
      parallel_for(layout.outer, kGrainElements / std::max<std::int64_t>(picks * layout.inner, 1) + 1,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t outer = begin; outer < end; ++outer) add(outer, 0, layout.inner);
                   });
    }
  });
  return {dx};
}

}  // namespace cbnet::ops
