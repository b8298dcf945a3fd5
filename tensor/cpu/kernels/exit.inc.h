#pragma once
// This is the body of exit.h, which says what defines it.

#include "tensor/cpu/kernels/exit.h"
#include "tensor/cpu/kernels/exp.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

void classify_row(const float* x, int64_t classes, float* p, float* entropy, int64_t* label) {
  const I32 lane = iota();
  const auto is_class = [&](int64_t i) __attribute__((always_inline)) {
    return lane < static_cast<int32_t>(classes - i);
  };
  F32 largest = broadcast(x[0]);
  for (int64_t i = 0; i < classes; i += kLanesF32)
    largest = max(is_class(i) ? load(x + i) : broadcast(x[0]), largest);
  const float top = max_lanes(largest);
  int64_t first = 0;
  while (first < classes - 1 && !(x[first] >= top)) ++first;
  const int32_t at = static_cast<int32_t>(first);
  F32 rest{}, weighted{};
  for (int64_t i = 0; i < classes; i += kLanesF32) {
    const F32 difference = load(x + i) - top;
    const F32 e = is_class(i) ? exp_negative(difference) : F32{};
    const F32 product = is_class(i) ? e * difference : F32{};
    rest += lane == at - static_cast<int32_t>(i) ? F32{} : e;
    weighted += e > 0.0F ? product : F32{};  // p ln p is 0 at p = 0, where ln p may be -inf
  }
  const float others = sum_lanes<float>(rest);
  const float scale = 1.0F / (1.0F + others);
  for (int64_t i = 0; i < classes; i += kLanesF32) {
    const F32 e = exp_negative(load(x + i) - top) * scale;
    if (i + kLanesF32 <= classes) {
      store(p + i, e);
    } else {
      float lanes[kLanesF32];
      store(lanes, e);
      for (int64_t j = 0; j < classes - i; ++j) p[i + j] = lanes[j];
    }
  }
  // A NaN takes no part in a maximum, but in every sum.
  *entropy = __builtin_log1pf(others) - sum_lanes<float>(weighted) * scale + (x[first] - x[first]);
  *label = *entropy == *entropy ? first : -1;
}

void classify_rows(const ExitRows& rows) {
  for (int64_t i = 0; i < rows.n; ++i)
    classify_row(rows.logits + i * rows.pitch, rows.classes, rows.probabilities + i * rows.classes,
                 rows.entropy + i, rows.labels + i);
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
