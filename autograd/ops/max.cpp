// max: y = the largest element of x along `axis`.
// Shapes : x (..., S, ...) -> y without the axis; with `keepdim`, of size 1 there.     Dtypes: f32, f64.
// Saves  : x's shape, the index of every maximum.      Grad  : dx = dy at the maximum, 0 elsewhere; of
//          equal maxima the first gets it all.
// Edge   : S == 0 throws; NaN counts as largest, the first one found.
// Kernels: baseline loops, spread over the threads. A strided x is copied first.
#include "autograd/ops/max.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops/reshape.h"
#include "autograd/ops/sum.h"
#include "tensor/parallel.h"

namespace cbnet {
namespace ops {
namespace {

constexpr std::int64_t kGrainElements = 1 << 15;

/// Whether `value` takes the place of `best`, which stands before it.
template <class T>
bool beats(T value, T best) {
  return value > best || (std::isnan(value) && !std::isnan(best));
}

/// The index of the first maximum among x[begin … end).
template <class T>
std::int64_t first_max(const T* x, std::int64_t begin, std::int64_t end) {
  std::int64_t best = begin;
  for (std::int64_t i = begin + 1; i < end; ++i) {
    if (beats(x[i], x[best])) best = i;
  }
  return best;
}

template <class T>
void max_along(const AxisSplit& layout, const T* x, T* y, std::int64_t* index) {
  const auto [outer, size, inner] = layout;
  if (outer * inner == 1) {
    const int chunks = chunk_count(size, kGrainElements);
    std::vector<std::int64_t> best(static_cast<std::size_t>(chunks), 0);
    parallel_chunks_of(chunks, size, [&](int chunk, std::int64_t begin, std::int64_t end) {
      best[static_cast<std::size_t>(chunk)] = first_max(x, begin, end);
    });
    *index = best[0];
    for (const std::int64_t i : best) {
      if (beats(x[i], x[*index])) *index = i;
    }
    *y = x[*index];
    return;
  }
  const auto scan = [=, size = size, inner = inner](std::int64_t o, std::int64_t begin, std::int64_t end) {
    const T* from = x + o * size * inner;
    T* best = y + o * inner;
    std::int64_t* where = index + o * inner;
    for (std::int64_t i = begin; i < end; ++i) {
      best[i] = from[i];
      where[i] = 0;
    }
    for (std::int64_t s = 1; s < size; ++s) {
      for (std::int64_t i = begin; i < end; ++i) {
        if (!beats(from[s * inner + i], best[i])) continue;
        best[i] = from[s * inner + i];
        where[i] = s;
      }
    }
  };
  if (outer == 1) {
    parallel_for(inner, kGrainElements / size + 1,
                 [&](std::int64_t begin, std::int64_t end) { scan(0, begin, end); });
  } else {
    parallel_for(outer, kGrainElements / std::max<std::int64_t>(size * inner, 1) + 1,
                 [&, inner = inner](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t o = begin; o < end; ++o) scan(o, 0, inner);
                 });
  }
}

}  // namespace

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
  Tensor y = Tensor::empty(infer(args, shapes), x.dtype());
  Tensor index = Tensor::empty(y.shape(), DType::i64);
  dispatch_floating(x.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    max_along<T>(split_at_axis(x.shape(), args.axis, kName), x.data<T>(), y.data<T>(),
                 index.data<std::int64_t>());
  });
  // One element stretched to x's shape: it holds the shape without holding x.
  saved.keep({Tensor::empty({}, x.dtype()).expand(x.shape()), index});
  return y;
}

Gradients Max::backward(const Args& args, const Saved& saved, const Tensor& doutput) {
  const Tensor dy = doutput.contiguous();
  Tensor dx = Tensor::zeros(saved.tensors[0].shape(), dy.dtype());
  const AxisSplit layout = split_at_axis(dx.shape(), args.axis, kName);
  const std::int64_t* index = saved.tensors[1].data<std::int64_t>();
  dispatch_floating(dy.dtype(), kName, [&](auto zero) {
    using T = decltype(zero);
    const T* from = dy.data<T>();
    T* to = dx.data<T>();
    parallel_for(dy.numel(), kGrainElements, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t row = i / layout.inner * layout.size + index[i];
        to[row * layout.inner + i % layout.inner] = from[i];
      }
    });
  });
  return {dx};
}

}  // namespace ops

Variable max(const Variable& x) { return max(reshape(x, {x.value().numel()}), 0); }

}  // namespace cbnet
