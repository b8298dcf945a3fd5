#pragma once
// This file transposes: element e of row n of so many rows as a vector has lanes goes to [e * kLanes + n] and
// back, so that every element is a vector:
//
//   row 0    | e0 e1 e2 … |   to_lanes     e0 | row 0, row 1, …, row L-1 |   a vector
//   row 1    | e0 e1 e2 … |     -->        e1 | row 0, row 1, …, row L-1 |
//   …                         from_lanes   e2 | …
//   row L-1  | e0 e1 e2 … |     <--

#include "tensor/cpu/kernels/simd.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// Each returns a[0] b[0] a[1] b[1] …, zip_low of the first halves, zip_high of the second ones.
template <class V>
[[gnu::always_inline]] inline V zip_low(const V& a, const V& b) {
  constexpr int n = sizeof(V) / sizeof(a[0]);
  if constexpr (n == 2) return __builtin_shufflevector(a, b, 0, 2);
  if constexpr (n == 4) return __builtin_shufflevector(a, b, 0, 4, 1, 5);
  if constexpr (n == 8) return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  if constexpr (n == 16) {
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  }
}
template <class V>
[[gnu::always_inline]] inline V zip_high(const V& a, const V& b) {
  constexpr int n = sizeof(V) / sizeof(a[0]);
  if constexpr (n == 2) return __builtin_shufflevector(a, b, 1, 3);
  if constexpr (n == 4) return __builtin_shufflevector(a, b, 2, 6, 3, 7);
  if constexpr (n == 8) return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  if constexpr (n == 16) {
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  }
}

// Zipping row i with row i + kLanes / 2 moves one bit of the row's number into the lane's; as many times as
// there are bits, and rows and lanes have changed places.
template <class T>
[[gnu::always_inline]] inline void transpose(Simd<T> (&rows)[kLanes<T>]) {
  constexpr int64_t L = kLanes<T>;
  if constexpr (L > 1) {
    CBNET_UNROLL for (int64_t done = 1; done < L; done *= 2) {
      Simd<T> zipped[L];
      CBNET_UNROLL for (int64_t i = 0; i < L / 2; ++i) {
        zipped[2 * i] = zip_low(rows[i], rows[i + L / 2]);
        zipped[2 * i + 1] = zip_high(rows[i], rows[i + L / 2]);
      }
      CBNET_UNROLL for (int64_t i = 0; i < L; ++i) rows[i] = zipped[i];
    }
  }
}

// Takes n <= kLanes rows of `size` elements, `pitch` apart; lanes without a row are zero. A vector of lanes
// is `step` from the next.
template <class T>
[[gnu::noinline]] void to_lanes(const T* rows, int64_t n, int64_t pitch, int64_t size, T* lanes,
                                int64_t step) {
  constexpr int64_t L = kLanes<T>;
  if (size < L) {
    for (int64_t e = 0; e < size; ++e) {
      for (int64_t i = 0; i < L; ++i) lanes[e * step + i] = i < n ? rows[i * pitch + e] : T(0);
    }
    return;
  }
  // The last tile overlaps the one before.
  for (int64_t e = 0; e < size; e = e + L < size && e + 2 * L > size ? size - L : e + L) {
    Simd<T> tile[L];
    CBNET_UNROLL for (int64_t i = 0; i < L; ++i) {
      tile[i] = Simd<T>{};
      if (i < n) tile[i] = load(rows + i * pitch + e);
    }
    transpose<T>(tile);
    CBNET_UNROLL for (int64_t i = 0; i < L; ++i) store(lanes + (e + i) * step, tile[i]);
  }
}

// The rows that it writes are `pitch` apart.
template <class T>
[[gnu::noinline]] void from_lanes(const T* lanes, int64_t n, int64_t size, T* rows, int64_t pitch) {
  constexpr int64_t L = kLanes<T>;
  if (size < L) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t e = 0; e < size; ++e) rows[i * pitch + e] = lanes[e * L + i];
    }
    return;
  }
  for (int64_t e = 0; e < size; e = e + L < size && e + 2 * L > size ? size - L : e + L) {
    Simd<T> tile[L];
    CBNET_UNROLL for (int64_t i = 0; i < L; ++i) tile[i] = load(lanes + (e + i) * L);
    transpose<T>(tile);
    CBNET_UNROLL for (int64_t i = 0; i < L; ++i) {
      if (i < n) store(rows + i * pitch + e, tile[i]);
    }
  }
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
