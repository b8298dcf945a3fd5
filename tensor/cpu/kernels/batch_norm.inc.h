#pragma once
// This is the body of batch_norm.h. Elements become f64 as they are loaded.

#include "tensor/cpu/kernels/batch_norm.h"
#include "tensor/cpu/kernels/simd.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

using F64 = Simd<double>;
constexpr int64_t kLanesF64 = kLanes<double>;
template <class T>
using Elements = typename SimdOf<T, CBNET_VECTOR_BYTES / sizeof(double) * sizeof(T)>::type;
template <class T>
using LooseElements = typename SimdOf<T, CBNET_VECTOR_BYTES / sizeof(double) * sizeof(T)>::loose;

template <class T>
[[gnu::always_inline]] inline F64 load_f64(const T* p) {
#if CBNET_VECTOR_BYTES == 0
  return static_cast<double>(*p);
#else
  return __builtin_convertvector(*reinterpret_cast<const LooseElements<T>*>(p), F64);
#endif
}

template <class T>
[[gnu::always_inline]] inline void store_f64(T* p, F64 v) {
#if CBNET_VECTOR_BYTES == 0
  *p = static_cast<T>(v);
#else
  *reinterpret_cast<LooseElements<T>*>(p) = __builtin_convertvector(v, Elements<T>);
#endif
}

template <class T, bool kOfX>
void add_batch_norm_sums(const T* x, const T* dy, const ChannelPlanes& s, double mean, double* sums) {
  constexpr int kChains = 4;
  F64 sum[kChains], product[kChains];
  CBNET_UNROLL for (int i = 0; i < kChains; ++i) sum[i] = product[i] = F64{};
  double rest = 0.0, rest_product = 0.0;
  const F64 means = broadcast(mean);
  for (int64_t n = 0; n < s.images; ++n, x += s.pitch, dy += s.pitch) {
    const auto add = [&](int64_t at, int chain) __attribute__((always_inline)) {
      const F64 centred = load_f64(x + at) - means;
      const F64 z = kOfX ? centred : load_f64(dy + at);
      sum[chain] += z;
      product[chain] += z * centred;
    };
    int64_t i = 0;
    for (; i + kChains * kLanesF64 <= s.plane; i += kChains * kLanesF64) {
      CBNET_UNROLL for (int chain = 0; chain < kChains; ++chain) add(i + chain * kLanesF64, chain);
    }
    for (; i + kLanesF64 <= s.plane; i += kLanesF64) add(i, 0);
    for (; i < s.plane; ++i) {
      const double centred = static_cast<double>(x[i]) - mean;
      const double z = kOfX ? centred : static_cast<double>(dy[i]);
      rest += z;
      rest_product += z * centred;
    }
  }
  sums[0] = rest + sum_lanes<double>((sum[0] + sum[1]) + (sum[2] + sum[3]));
  sums[1] = rest_product + sum_lanes<double>((product[0] + product[1]) + (product[2] + product[3]));
}

template <class T>
void batch_norm_sums(const T* x, const T* dy, const ChannelPlanes& s, double mean, double* sums) {
  dy == nullptr ? add_batch_norm_sums<T, true>(x, x, s, mean, sums)
                : add_batch_norm_sums<T, false>(x, dy, s, mean, sums);
}

template <class T>
void batch_norm_forward(const T* x, T* y, const ChannelPlanes& s, const BatchNormLine& line) {
  const auto [mean, scale, beta] = line;
  const F64 means = broadcast(mean), scales = broadcast(scale), betas = broadcast(beta);
  for (int64_t n = 0; n < s.images; ++n, x += s.pitch, y += s.pitch) {
    int64_t i = 0;
    for (; i + kLanesF64 <= s.plane; i += kLanesF64)
      store_f64(y + i, (load_f64(x + i) - means) * scales + betas);
    for (; i < s.plane; ++i) y[i] = static_cast<T>((static_cast<double>(x[i]) - mean) * scale + beta);
  }
}

template <class T>
void batch_norm_backward(const T* x, const T* dy, T* dx, const ChannelPlanes& s, const BatchNormSlope& b) {
  const auto [mean, scale, mean_dy, slope] = b;
  const F64 means = broadcast(mean), scales = broadcast(scale), mean_dys = broadcast(mean_dy);
  const F64 slopes = broadcast(slope);
  for (int64_t n = 0; n < s.images; ++n, x += s.pitch, dy += s.pitch, dx += s.pitch) {
    int64_t i = 0;
    for (; i + kLanesF64 <= s.plane; i += kLanesF64) {
      const F64 left = load_f64(dy + i) - mean_dys - (load_f64(x + i) - means) * slopes;
      store_f64(dx + i, scales * left);
    }
    for (; i < s.plane; ++i) {
      const double left = static_cast<double>(dy[i]) - mean_dy - (static_cast<double>(x[i]) - mean) * slope;
      dx[i] = static_cast<T>(scale * left);
    }
  }
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
