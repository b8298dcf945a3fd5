#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "tensor/parallel.h"

// These functions walk several strided arrays of one shape together; `for_each` in
// tensor/reference/functions.h is the plain way.

namespace cbnet::kernels {

/// Merges neighbouring axes that all arrays walk with one stride, and drops sizes of 1, so that the
/// inner loop is as long as the layouts allow. `strides[a]` are array a's, in elements; the result has
/// at least one axis.
inline void collapse_axes(std::vector<std::int64_t>& shape, std::vector<std::vector<std::int64_t>>& strides) {
  std::size_t kept = 0;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 1) continue;
    bool merge = kept > 0;
    for (const auto& s : strides) merge = merge && s[kept - 1] == s[axis] * shape[axis];
    if (!merge) ++kept;
    shape[kept - 1] = merge ? shape[kept - 1] * shape[axis] : shape[axis];
    for (auto& s : strides) s[kept - 1] = s[axis];
  }
  shape.resize(kept);
  for (auto& s : strides) s.resize(kept);
  if (kept == 0) {
    shape.push_back(1);
    for (auto& s : strides) s.push_back(0);
  }
}

/// Calls row(offsets, inner_strides, count) for every innermost row; offsets[a] is array a's first
/// element of the row. Rows are spread over the threads.
template <std::size_t Arrays, class Row>
void for_each_row(std::vector<std::int64_t> shape, std::vector<std::vector<std::int64_t>> strides,
                  Row&& row) {
  for (const std::int64_t size : shape) {
    if (size == 0) return;
  }
  collapse_axes(shape, strides);
  const std::size_t outer_axes = shape.size() - 1;
  const std::int64_t inner = shape.back();
  std::int64_t rows = 1;
  for (std::size_t axis = 0; axis < outer_axes; ++axis) rows *= shape[axis];
  std::int64_t inner_strides[Arrays];
  for (std::size_t a = 0; a < Arrays; ++a) inner_strides[a] = strides[a].back();

  constexpr std::int64_t kGrainElements = 1 << 15;
  if (rows == 1) {
    parallel_for(inner, kGrainElements, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t offsets[Arrays];
      for (std::size_t a = 0; a < Arrays; ++a) offsets[a] = begin * inner_strides[a];
      row(offsets, inner_strides, end - begin);
    });
    return;
  }
  parallel_for(rows, kGrainElements / inner + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      std::int64_t offsets[Arrays] = {};
      std::int64_t rest = r;
      for (std::size_t axis = outer_axes; axis-- > 0;) {
        const std::int64_t index = rest % shape[axis];
        rest /= shape[axis];
        for (std::size_t a = 0; a < Arrays; ++a) offsets[a] += index * strides[a][axis];
      }
      row(offsets, inner_strides, inner);
    }
  });
}

}  // namespace cbnet::kernels
