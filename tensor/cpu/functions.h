#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "tensor/calls.h"
#include "tensor/cpu/kernels/strided.h"
#include "tensor/parallel.h"

// The functions of the CPU backend, one for each line of backend.def, and what several of them share.

namespace cbnet::cpu {

#define BACKEND_FUNCTION(name, Call) void name(const Call& call);
#include "tensor/backend.def"

/// Elements that are worth a thread of their own.
inline constexpr std::int64_t kGrainElements = 1 << 15;

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

/// kernels::for_each_row of the strides of a call.
template <std::size_t Arrays, class Row>
void for_each_row(Sizes shape, const std::array<Sizes, Arrays>& strides, Row&& row) {
  std::vector<std::vector<std::int64_t>> copies;
  for (const Sizes& s : strides) copies.emplace_back(s.begin(), s.end());
  kernels::for_each_row<Arrays>({shape.begin(), shape.end()}, std::move(copies), row);
}

/// term(0) + … + term(count - 1) in f64, as eight sums side by side: the compiler may not reorder a single
/// one, so only this vectorises.
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
