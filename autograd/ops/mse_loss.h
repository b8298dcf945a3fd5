#pragma once

#include <algorithm>

#include "autograd/op.h"
#include "autograd/ops/sum.h"
#include "tensor/parallel.h"

namespace cbnet {
namespace ops {

struct MseLoss {
  static constexpr const char* kName = "mse_loss";
  struct Args {};
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

// What the losses share.

/// term(0) + … + term(count - 1) in f64. Pieces of fixed size are spread over the threads and added in order,
/// so that any number of threads gives the same bits.
template <class Term>
double ordered_sum(std::int64_t count, Term&& term) {
  constexpr std::int64_t kPiece = 1 << 13;
  std::vector<double> partial(static_cast<std::size_t>((count + kPiece - 1) / kPiece));
  parallel_for(static_cast<std::int64_t>(partial.size()), 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t piece = begin; piece < end; ++piece) {
      const std::int64_t first = piece * kPiece;
      partial[static_cast<std::size_t>(piece)] = lane_sum(
          std::min(kPiece, count - first), [&term, first](std::int64_t i) { return term(first + i); });
    }
  });
  double sum = 0.0;
  for (const double part : partial) sum += part;
  return sum;
}

/// map(i) for 0 <= i < count, spread over the threads, as a contiguous tensor.
template <class T, class Map>
Tensor map_elements(const Shape& shape, Map&& map) {
  Tensor out = Tensor::empty(shape, DTypeOf<T>::value);
  T* to = out.data<T>();
  parallel_for(out.numel(), std::int64_t{1} << 15, [&map, to](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] = map(i);
  });
  return out;
}

}  // namespace ops

/// Mean over all elements of (x - target)^2, a scalar.
/// Throws std::invalid_argument unless both have the same shape and at least one element.
inline Variable mse_loss(const Variable& x, const Variable& target) {
  return apply<ops::MseLoss>({}, {x, target});
}

}  // namespace cbnet
