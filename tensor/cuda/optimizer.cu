#include <cmath>

#include "tensor/cuda/elements.cuh"
#include "tensor/cuda/functions.h"

namespace cbnet::cuda {
namespace {

/// These are the numbers of an AdamCall or SgdCall, rounded to T once.
template <class T>
struct AdamNumbers {
  T beta1, rest1, beta2, rest2, eps, step_size, inverse_root2, l2, shrink;
};
template <class T>
struct SgdNumbers {
  T rate, momentum, decay;
  bool nesterov;
};

template <class T>
__global__ void adam_kernel(std::int64_t count, AdamNumbers<T> n, const T* g, T* w, T* m, T* v) {
  for_each_element(count, [&](std::int64_t i) {
    const T grad = g[i] + n.l2 * w[i];
    m[i] = n.beta1 * m[i] + n.rest1 * grad;
    v[i] = n.beta2 * v[i] + n.rest2 * grad * grad;
    w[i] -= n.shrink * w[i] + n.step_size * m[i] / (std::sqrt(v[i]) * n.inverse_root2 + n.eps);
  });
}

template <class T>
__global__ void sgd_kernel(std::int64_t count, SgdNumbers<T> n, const T* g, T* w, T* u) {
  for_each_element(count, [&](std::int64_t i) {
    const T grad = g[i] + n.decay * w[i];
    u[i] = n.momentum * u[i] + grad;
    w[i] -= n.rate * (n.nesterov ? grad + n.momentum * u[i] : u[i]);
  });
}

template <class T>
void adam_of(const AdamCall& call) {
  const auto number = [](double value) { return static_cast<T>(value); };
  const AdamNumbers<T> numbers{number(call.beta1),         number(1.0 - call.beta1), number(call.beta2),
                               number(1.0 - call.beta2),   number(call.eps),         number(call.step_size),
                               number(call.inverse_root2), number(call.l2),          number(call.shrink)};
  launch("adam", adam_kernel<T>, elements_grid(call.count), call.count, numbers,
         static_cast<const T*>(call.g), static_cast<T*>(call.w), static_cast<T*>(call.m),
         static_cast<T*>(call.v));
}

template <class T>
void sgd_of(const SgdCall& call) {
  const SgdNumbers<T> numbers{static_cast<T>(call.rate), static_cast<T>(call.momentum),
                              static_cast<T>(call.decay), call.nesterov};
  launch("sgd", sgd_kernel<T>, elements_grid(call.count), call.count, numbers, static_cast<const T*>(call.g),
         static_cast<T*>(call.w), static_cast<T*>(call.u));
}

}  // namespace

CBNET_BY_DTYPE(adam, AdamCall)
CBNET_BY_DTYPE(sgd, SgdCall)

}  // namespace cbnet::cuda
