#pragma once
// y = 1 / (1 + exp(-x)), by exp(-|x|), which cannot overflow: its fraction of the sum for x < 0, the rest for
// x > 0.

#include "tensor/cpu/kernels/exp.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

template <class T>
void sigmoid(const T* __restrict x, T* __restrict y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const T size = x[i] < T(0) ? x[i] : -x[i];  // NaN stays NaN
    const T e = exp_negative(size);
    y[i] = (x[i] < T(0) ? e : T(1)) / (T(1) + e);
  }
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
