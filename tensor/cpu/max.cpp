// `max`, `max_backward` and `find_outside` in tensor/reference/reduce.cpp define what this file computes. x
// is (outer, size, inner), and maxima run along the middle axis; a single one is cut into a piece a thread.
#include <cmath>

#include "tensor/cpu/functions.h"

namespace cbnet::cpu {
namespace {

/// Tells whether `value` takes the place of `best`, which stands before it.
template <class T>
bool beats(T value, T best) {
  return value > best || (std::isnan(value) && !std::isnan(best));
}

/// Finds the index of the first maximum among x[begin … end).
template <class T>
std::int64_t first_max(const T* x, std::int64_t begin, std::int64_t end) {
  std::int64_t best = begin;
  for (std::int64_t i = begin + 1; i < end; ++i) {
    if (beats(x[i], x[best])) best = i;
  }
  return best;
}

template <class T>
void max_of(const MaxCall& call) {
  const std::int64_t outer = call.outer, size = call.size, inner = call.inner;
  const T* x = as<T>(call.x);
  T* y = as<T>(call.y);
  std::int64_t* index = call.index;
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
  for_each_part(outer, inner, size, [=](std::int64_t o, std::int64_t begin, std::int64_t end) {
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
  });
}

}  // namespace

CBNET_BY_DTYPE(max, MaxCall)

template <class T>
void max_backward_of(const MaxBackwardCall& call) {
  T* dx = as<T>(call.dx);
  parallel_for(call.outer * call.size * call.inner, kGrainElements,
               [&](std::int64_t begin, std::int64_t end) { std::fill(dx + begin, dx + end, T(0)); });
  parallel_for(call.outer * call.inner, kGrainElements, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = i / call.inner * call.size + call.index[i];
      dx[row * call.inner + i % call.inner] = as<T>(call.dy)[i];
    }
  });
}
CBNET_BY_DTYPE(max_backward, MaxBackwardCall)

void find_outside(const FindOutsideCall& call) {
  dispatch(call.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T* x = as<T>(call.x);
    const T* end = x + call.count;
    const T* found = std::find_if(x, end, [&](T value) {
      const auto wide = static_cast<double>(value);
      return !(wide >= call.low && wide <= call.high);
    });
    *call.found = found == end ? -1 : found - x;
  });
}

}  // namespace cbnet::cpu
