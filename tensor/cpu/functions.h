#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "tensor/calls.h"
#include "tensor/cpu/kernels/strided.h"
#include "tensor/parallel.h"

// The CPU backend has one function for each line of backend.def; they stand here with what several of them
// share. Each file of this folder names the function of tensor/reference that defines what it computes.

namespace cbnet::cpu {

#define BACKEND_FUNCTION(name, Call) void name(const Call& call);
#include "tensor/backend.def"

/// Makes `name` of the template name_of<T>, the same for one dtype.
#define CBNET_BY_DTYPE(name, Call)                                                             \
  void name(const Call& call) {                                                                \
    dispatch_floating(call.dtype, #name, [&](auto zero) { name##_of<decltype(zero)>(call); }); \
  }

/// So many elements are worth a thread of their own.
inline constexpr std::int64_t kGrainElements = 1 << 15;

/// Calls fn(i) for 0 <= i < count, spread over the threads; each takes `elements` of work.
template <class Fn>
void for_each_of(std::int64_t count, std::int64_t elements, Fn&& fn) {
  parallel_for(count, kGrainElements / std::max<std::int64_t>(elements, 1) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) fn(i);
               });
}

/// Calls fn(o, begin, end) for ranges of `inner` elements of every o < outer, spread over the threads: whole
/// rows, or parts of the only one. An element takes `work`.
template <class Fn>
void for_each_part(std::int64_t outer, std::int64_t inner, std::int64_t work, Fn&& fn) {
  if (outer == 1) {
    parallel_for(inner, kGrainElements / std::max<std::int64_t>(work, 1) + 1,
                 [&](std::int64_t begin, std::int64_t end) { fn(0, begin, end); });
  } else {
    for_each_of(outer, work * inner, [&](std::int64_t o) { fn(o, 0, inner); });
  }
}

template <class T>
const T* as(const void* p) {
  return static_cast<const T*>(p);
}
template <class T>
T* as(void* p) {
  return static_cast<T*>(p);
}

inline bool is_dense(Sizes shape, Sizes strides) {
  std::int64_t expected = 1;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    if (shape[axis] != 1 && strides[axis] != expected) return false;
    expected *= shape[axis];
  }
  return true;
}

using Offsets = const std::int64_t*;

/// Calls kernels::for_each_row with the strides of a call.
template <std::size_t Arrays, class Row>
void for_each_row(Sizes shape, const std::array<Sizes, Arrays>& strides, Row&& row) {
  std::vector<std::vector<std::int64_t>> copies;
  for (const Sizes& s : strides) copies.emplace_back(s.begin(), s.end());
  kernels::for_each_row<Arrays>({shape.begin(), shape.end()}, std::move(copies), row);
}

/// Returns term(0) + … + term(count - 1) in f64, as eight sums side by side: the compiler may not reorder a
/// single one, so only this vectorises.
template <class Term>
double lane_sum(std::int64_t count, Term&& term) {
  constexpr int kLanes = 8;
  double lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += static_cast<double>(term(i + lane));
  }
  for (int lane = 0; i < count; ++i, ++lane) lanes[lane] += static_cast<double>(term(i));
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

}  // namespace cbnet::cpu
