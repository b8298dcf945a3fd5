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

// Adds what one plane has to `chains` sums side by side, and what fills no vector to `rest`.
template <class T, bool kOfX, int kChains>
[[gnu::always_inline]] inline void add_plane(const T* x, const T* dy, int64_t plane, double mean,
                                             F64 (&sum)[kChains], F64 (&product)[kChains],
                                             BatchNormSums& rest) {
  const F64 means = broadcast(mean);
  const auto add = [&](int64_t at, int chain) __attribute__((always_inline)) {
    const F64 centred = load_f64(x + at) - means;
    const F64 z = kOfX ? centred : load_f64(dy + at);
    sum[chain] += z;
    product[chain] += z * centred;
  };
  int64_t i = 0;
  for (; i + kChains * kLanesF64 <= plane; i += kChains * kLanesF64) {
    CBNET_UNROLL for (int chain = 0; chain < kChains; ++chain) add(i + chain * kLanesF64, chain);
  }
  for (; i + kLanesF64 <= plane; i += kLanesF64) add(i, 0);
  for (; i < plane; ++i) {
    const double centred = static_cast<double>(x[i]) - mean;
    const double z = kOfX ? centred : static_cast<double>(dy[i]);
    rest.sums[0] += z;
    rest.sums[1] += z * centred;
  }
}

// Large planes keep their sums in registers, a channel after the other. Small ones are read as they lie, all
// channels of an image, for the sake of the cache: their sums stay in memory.
constexpr int64_t kLargePlane = 256;

template <class T, bool kOfX>
void add_batch_norm_sums(const T* x, const T* dy, const ChannelPlanes& s, const double* mean,
                         BatchNormSums* sums) {
  for (int64_t c = 0; c < s.channels; ++c) sums[c] = {};
  if (s.plane >= kLargePlane) {
    for (int64_t c = 0; c < s.channels; ++c) {
      F64 sum[4] = {}, product[4] = {};
      for (int64_t n = 0; n < s.images; ++n) {
        const int64_t at = n * s.pitch + c * s.plane;
        add_plane<T, kOfX, 4>(x + at, dy + at, s.plane, mean[c], sum, product, sums[c]);
      }
      sums[c].sums[0] += sum_lanes<double>((sum[0] + sum[1]) + (sum[2] + sum[3]));
      sums[c].sums[1] += sum_lanes<double>((product[0] + product[1]) + (product[2] + product[3]));
    }
    return;
  }
  F64 sum[ChannelPlanes::kMost][1] = {}, product[ChannelPlanes::kMost][1] = {};
  for (int64_t n = 0; n < s.images; ++n) {
    for (int64_t c = 0; c < s.channels; ++c) {
      const int64_t at = n * s.pitch + c * s.plane;
      add_plane<T, kOfX, 1>(x + at, dy + at, s.plane, mean[c], sum[c], product[c], sums[c]);
    }
  }
  for (int64_t c = 0; c < s.channels; ++c) {
    sums[c].sums[0] += sum_lanes<double>(sum[c][0]);
    sums[c].sums[1] += sum_lanes<double>(product[c][0]);
  }
}

template <class T>
void batch_norm_sums(const T* x, const T* dy, const ChannelPlanes& s, const double* mean,
                     BatchNormSums* sums) {
  dy == nullptr ? add_batch_norm_sums<T, true>(x, x, s, mean, sums)
                : add_batch_norm_sums<T, false>(x, dy, s, mean, sums);
}

template <class T>
void batch_norm_forward(const T* x, T* y, const ChannelPlanes& s, const BatchNormLine* lines) {
  for (int64_t n = 0; n < s.images; ++n) {
    for (int64_t c = 0; c < s.channels; ++c) {
      const auto [mean, scale, beta] = lines[c];
      const F64 means = broadcast(mean), scales = broadcast(scale), betas = broadcast(beta);
      int64_t i = n * s.pitch + c * s.plane;
      const int64_t end = i + s.plane;
      for (; i + kLanesF64 <= end; i += kLanesF64)
        store_f64(y + i, (load_f64(x + i) - means) * scales + betas);
      for (; i < end; ++i) y[i] = static_cast<T>((static_cast<double>(x[i]) - mean) * scale + beta);
    }
  }
}

template <class T>
void batch_norm_backward(const T* x, const T* dy, T* dx, const ChannelPlanes& s,
                         const BatchNormSlope* slopes) {
  for (int64_t n = 0; n < s.images; ++n) {
    for (int64_t c = 0; c < s.channels; ++c) {
      const auto [mean, scale, mean_dy, slope] = slopes[c];
      const F64 means = broadcast(mean), scales = broadcast(scale), mean_dys = broadcast(mean_dy);
      const F64 by_x = broadcast(slope);
      int64_t i = n * s.pitch + c * s.plane;
      const int64_t end = i + s.plane;
      for (; i + kLanesF64 <= end; i += kLanesF64) {
        const F64 left = load_f64(dy + i) - mean_dys - (load_f64(x + i) - means) * by_x;
        store_f64(dx + i, scales * left);
      }
      for (; i < end; ++i) {
        const double left = static_cast<double>(dy[i]) - mean_dy - (static_cast<double>(x[i]) - mean) * slope;
        dx[i] = static_cast<T>(scale * left);
      }
    }
  }
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
