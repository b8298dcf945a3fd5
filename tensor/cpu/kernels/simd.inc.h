#pragma once
// This file has vectors of the ISA at hand, and what kernels share. A file that includes this, or a kernel,
// has set CBNET_ISA, the namespace that all of them stand in, and CBNET_VECTOR_BYTES: 64 is AVX-512, 32 AVX2,
// 16 Advanced SIMD, and 0 one element at a time. These files take nothing of std::, for an inline symbol
// compiled with ISA flags could be linked into baseline code.

#include <cstddef>
#include <cstdint>
#if CBNET_VECTOR_BYTES >= 32
#include <immintrin.h>
#elif CBNET_VECTOR_BYTES == 16
#include <arm_neon.h>
#endif

#include "tensor/cpu/kernels/split.h"

// Blocks live in registers only if the loops of constant count over them are unrolled.
#if defined(__clang__)
#define CBNET_UNROLL _Pragma("unroll")
#else
#define CBNET_UNROLL _Pragma("GCC unroll 32")
#endif

namespace cbnet::kernels::CBNET_ISA {
namespace {

template <class T, int Bytes = CBNET_VECTOR_BYTES>
struct SimdOf {
  typedef T type __attribute__((vector_size(Bytes)));
  typedef T loose __attribute__((vector_size(Bytes), aligned(1), may_alias));
};
template <class T>
struct SimdOf<T, 0> {
  typedef T type;
  typedef T loose __attribute__((aligned(1), may_alias));
};
template <class T>
using Simd = typename SimdOf<T>::type;
using F32 = Simd<float>;
using I32 = Simd<int32_t>;
using U32 = Simd<uint32_t>;

template <class T>
constexpr int64_t kLanes = sizeof(Simd<T>) / sizeof(T);
constexpr int64_t kLanesF32 = kLanes<float>;

template <class T>
[[gnu::always_inline]] inline Simd<T> load(const T* p) {
  return *reinterpret_cast<const typename SimdOf<T>::loose*>(p);
}
template <class T>
[[gnu::always_inline]] inline void store(T* p, Simd<T> v) {
  *reinterpret_cast<typename SimdOf<T>::loose*>(p) = v;
}
template <class T>
[[gnu::always_inline]] inline Simd<T> broadcast(T x) {
  return x - Simd<T>{};  // x - 0 is x: one load
}
template <class To, class From>
[[gnu::always_inline]] inline To bits(From v) {
  return __builtin_bit_cast(To, v);
}

/// Returns 0, 1, 2, …
[[gnu::always_inline]] inline I32 iota() {
#if CBNET_VECTOR_BYTES == 64
  return I32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif CBNET_VECTOR_BYTES == 32
  return I32{0, 1, 2, 3, 4, 5, 6, 7};
#elif CBNET_VECTOR_BYTES == 16
  return I32{0, 1, 2, 3};
#else
  return 0;
#endif
}

// NaN in b stays NaN, NaN in a is dropped: that is one instruction.
[[gnu::always_inline]] inline F32 max(F32 a, F32 b) { return a > b ? a : b; }
// NaN in either stays NaN.
[[gnu::always_inline]] inline F32 max_keep_nan(F32 a, F32 b) { return a != a ? a : max(a, b); }
[[gnu::always_inline]] inline F32 relu(F32 x) { return max(F32{}, x); }

/// Adds up the lanes as a tree of halves.
template <class T, int Bytes = CBNET_VECTOR_BYTES>
[[gnu::always_inline]] inline T sum_lanes(const typename SimdOf<T, Bytes>::type& v) {
  if constexpr (Bytes == 0) {
    return v;
  } else if constexpr (Bytes == 16 && sizeof(T) == 8) {
    return v[0] + v[1];
  } else if constexpr (Bytes == 16) {
    return (v[0] + v[1]) + (v[2] + v[3]);
  } else {
    struct Halves {
      typename SimdOf<T, Bytes / 2>::type low, high;
    };
    const Halves halves = __builtin_bit_cast(Halves, v);  // memcpy would go by the stack
    return sum_lanes<T, Bytes / 2>(halves.low + halves.high);
  }
}

[[gnu::always_inline]] inline float max_lanes(F32 v) {
  float lanes[kLanesF32];
  store(lanes, v);
  CBNET_UNROLL for (int64_t half = kLanesF32 / 2; half > 0; half /= 2) {
    CBNET_UNROLL for (int64_t i = 0; i < half; ++i) lanes[i] =
        lanes[i] > lanes[i + half] ? lanes[i] : lanes[i + half];
  }
  return lanes[0];
}

// Rows are a dozen elements or so: too short for a call to memcpy each. The last chunk overlaps the one
// before, so that no byte outside the row is touched.
template <class T>
[[gnu::always_inline]] inline void copy_row(T* to, const T* from, int64_t count) {
  char* dst = reinterpret_cast<char*>(to);
  const char* src = reinterpret_cast<const char*>(from);
  const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
  if (bytes >= 64) {
    for (int64_t i = 0; i + 64 <= bytes; i += 64) __builtin_memcpy(dst + i, src + i, 64);
    __builtin_memcpy(dst + bytes - 64, src + bytes - 64, 64);
  } else if (bytes >= 32) {
    __builtin_memcpy(dst, src, 32);
    __builtin_memcpy(dst + bytes - 32, src + bytes - 32, 32);
  } else if (bytes >= 16) {
    __builtin_memcpy(dst, src, 16);
    __builtin_memcpy(dst + bytes - 16, src + bytes - 16, 16);
  } else if (bytes >= 8) {
    __builtin_memcpy(dst, src, 8);
    __builtin_memcpy(dst + bytes - 8, src + bytes - 8, 8);
  } else {
    *to = *from;
  }
}

template <class T>
void copy_rows(T* to, int64_t to_pitch, const T* from, int64_t from_pitch, int64_t rows, int64_t cols) {
  if (to_pitch == cols && from_pitch == cols) cols *= rows, rows = rows > 0;
  for (int64_t i = 0; i < rows; ++i) copy_row(to + i * to_pitch, from + i * from_pitch, cols);
}

/// Returns Fn::at<a, b>, the kernel of a block of a by b, 1 <= a <= A and 1 <= b <= B.
template <class Fn, int A, int B>
auto pick(int64_t a, int64_t b) {
  if constexpr (A > 1) {
    if (a < A) return pick<Fn, A - 1, B>(a, b);
  }
  if constexpr (B > 1) {
    if (b < B) return pick<Fn, A, B - 1>(a, b);
  }
  return Fn::template at<A, B>;
}

template <class T>
T* align(T* p) {
  constexpr uintptr_t kBytes = 64;  // a cache line, and the widest vector of any ISA
  return p + (kBytes - reinterpret_cast<uintptr_t>(p) % kBytes) % kBytes / sizeof(T);
}

template <class T>
void set_zero(T* p, int64_t count) {
  __builtin_memset(p, 0, static_cast<size_t>(count) * sizeof(T));
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
