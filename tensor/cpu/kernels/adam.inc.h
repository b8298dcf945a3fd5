#pragma once
// This is the body of adam.h; `adam` in tensor/reference/optimizer.cpp defines what it computes. The compiler
// makes vectors of the loop, of square root and division too.

#include "tensor/cpu/kernels/adam.h"
#include "tensor/cpu/kernels/simd.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

template <class T>
void adam(const AdamStep<T>& step, const T* __restrict g, T* __restrict w, T* __restrict m, T* __restrict v,
          int64_t count) {
  const AdamStep<T> s = step;
  for (int64_t i = 0; i < count; ++i) {
    const T grad = g[i] + s.l2 * w[i];
    m[i] = s.beta1 * m[i] + (T(1) - s.beta1) * grad;
    v[i] = s.beta2 * v[i] + (T(1) - s.beta2) * grad * grad;
    const T root = sizeof(T) == 4 ? T(__builtin_sqrtf(float(v[i]))) : T(__builtin_sqrt(double(v[i])));
    w[i] -= s.shrink * w[i] + s.step_size * m[i] / (root * s.inverse_root2 + s.eps);
  }
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
