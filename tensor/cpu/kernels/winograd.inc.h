#pragma once
// This is the body of winograd.h, which says what defines it and draws matrices and scratch.

#include "tensor/cpu/kernels/fused_conv2d.inc.h"
#include "tensor/cpu/kernels/winograd.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// Half a vector serves rows that are shorter than one.
using Half = typename SimdOf<float, CBNET_VECTOR_BYTES / 2>::type;
template <class V>
using LooseOf = typename SimdOf<float, sizeof(V) == sizeof(float) ? 0 : sizeof(V)>::loose;
template <class V>
[[gnu::always_inline]] inline V load_as(const float* p) {
  return *reinterpret_cast<const LooseOf<V>*>(p);
}
template <class V>
[[gnu::always_inline]] inline void store_as(float* p, V v) {
  *reinterpret_cast<LooseOf<V>*>(p) = v;
}

// Makes B' d of some pairs, one vector a point, `step` elements apart. `even` and `odd` are the pixels of
// even and odd number of the row, from under the first of the pairs on.
template <int K, class V>
[[gnu::always_inline]] inline void transform_pairs(const float* even, const float* odd, float* to,
                                                   int64_t step) {
  const V d0 = load_as<V>(even), d1 = load_as<V>(odd), d2 = load_as<V>(even + 1), d3 = load_as<V>(odd + 1);
  if constexpr (K == 3) {
    store_as<V>(to, d0 - d2);
    store_as<V>(to + step, d1 + d2);
    store_as<V>(to + 2 * step, d2 - d1);
    store_as<V>(to + 3 * step, d3 - d1);
  } else {
    const V d4 = load_as<V>(even + 2), d5 = load_as<V>(odd + 2);
    const V a = d4 - 4.0F * d2, b = d3 - 4.0F * d1;
    const V c = d4 - d2, e = 2.0F * (d3 - d1);
    store_as<V>(to, 4.0F * d0 - 5.0F * d2 + d4);
    store_as<V>(to + step, a + b);
    store_as<V>(to + 2 * step, a - b);
    store_as<V>(to + 3 * step, c + e);
    store_as<V>(to + 4 * step, c - e);
    store_as<V>(to + 5 * step, 4.0F * d1 - 5.0F * d3 + d5);
  }
}

// Rows are written vector by vector from their end, each vector for all rows before the next: what reaches
// beyond a row's end lies in the next row, whose own elements come after.

// Splits a plane, whose rows begin with `padding` zeros, into columns of even and of odd number, rows `row`
// elements apart. What stands right of a row's pixels, and left of the next one's, is zeros:
//
//   padding 1   0 x0 x1 x2 x3     even: 0 x1 x3 …   odd: x0 x2 0 …
//   padding 2   0 0 x0 x1 x2 x3   even: 0 x0 x2 …   odd: 0 x1 x3 …
void split_columns(const Winograd& a, const float* in, float* evens, float* odds, int64_t row) {
  const I32 lane = iota();
  // Behind an odd number of zeros the first pixel has an odd column.
  const bool shifted = a.padding % 2 == 1;
  float* const first = (shifted ? odds : evens) + a.padding / 2;
  float* const second = (shifted ? evens : odds) + (a.padding + 1) / 2;
  for (int64_t j = 0; j < a.padding; ++j) evens[j] = odds[j] = 0.0F;
  const int64_t last = (a.w - 1) / (2 * kLanesF32) * kLanesF32;  // of the vectors with pixels
  for (int64_t j = (row - 1) / kLanesF32 * kLanesF32; j > last; j -= kLanesF32) {
    for (int64_t i = 0; i < a.h; ++i) {
      store(first + i * row + j, F32{});
      store(second + i * row + j, F32{});
    }
  }
  for (int64_t j = last; j >= 0; j -= kLanesF32) {
    const I32 in_first = lane < static_cast<int32_t>((a.w + 1) / 2 - j);
    const I32 in_second = lane < static_cast<int32_t>(a.w / 2 - j);
    for (int64_t i = 0; i < a.h; ++i) {
      const float* from = in + i * a.in_row + 2 * j;
      const F32 left = load(from), right = load(from + kLanesF32);
      store(first + i * row + j, in_first ? even(left, right) : F32{});
      store(second + i * row + j, in_second ? odd(left, right) : F32{});
    }
  }
}

// Makes planes of B' d for every point and channel, with zero rows around.
template <int K, class V>
void transform_planes(const Winograd& a, const float* in, float* columns, float* to) {
  constexpr int64_t kStep = sizeof(V) == sizeof(F32) ? kLanesF32 : kLanesF32 / 2;
  const int64_t row = winograd_columns(a);
  float* const evens = columns;
  float* const odds = evens + a.h * row + 2 * kSlack;
  const int64_t border = a.padding * a.pairs;
  const int64_t step = a.sums.c * a.sums.in_plane;  // from one point to the next
  const auto clear = [&](float* rows) __attribute__((always_inline)) {
    for (int64_t point = 0; point < a.points; ++point) {
      for (int64_t j = 0; j < border; j += kLanesF32) store(rows + point * step + j, F32{});
    }
  };
  for (int64_t c = 0; c < a.sums.c; ++c, in += a.in_plane, to += a.sums.in_plane) {
    split_columns(a, in, evens, odds, row);
    clear(to);
    for (int64_t j = (a.pairs - 1) / kStep * kStep; j >= 0; j -= kStep) {
      for (int64_t i = 0; i < a.h; ++i)
        transform_pairs<K, V>(evens + i * row + j, odds + i * row + j, to + border + i * a.pairs + j, step);
    }
    clear(to + border + a.h * a.pairs);
  }
}

// Takes A' of one block's sums, the larger of each pair and the bias: planes of pairs pooled along rows.
template <int K>
void pool_pairs(const Winograd& a, const ConvBlock& block, int64_t outputs, const float* sums,
                const float* bias, float* to) {
  const int64_t plane = 4 * kLanesF32;
  const int64_t step = outputs * plane;  // from one point to the next
  for (int64_t o = 0; o < outputs; ++o, sums += plane, to += a.sums.scratch_plane) {
    for (int64_t v = 0; v < block.vectors * kLanesF32; v += kLanesF32) {
      const auto sum = [&](int64_t point) __attribute__((always_inline)) {
        return load(sums + point * step + v);
      };
      F32 first, second;
      if constexpr (K == 3) {
        const F32 m1 = sum(1), m2 = sum(2);
        first = sum(0) + (m1 + m2);
        second = (m1 - m2) + sum(3);
      } else {
        const F32 m1 = sum(1), m2 = sum(2), m3 = sum(3), m4 = sum(4);
        first = sum(0) + (m1 + m2) + (m3 + m4);
        second = (m1 - m2) + 2.0F * (m3 - m4) + sum(5);
      }
      if (a.last != nullptr) second += load(a.last + block.q + v);
      store(to + block.q + v, max_keep_nan(first, second) + broadcast(bias[o]));
    }
  }
}

// Stores the larger of rows 2i and 2i + 1 of a plane, where there is a second; zeros go behind each row.
template <bool Relu>
void pool_rows(const Winograd& a, const float* plane, float* out) {
  const Conv& sums = a.sums;
  const I32 lane = iota();
  for (int64_t j = (sums.pw - 1) / kLanesF32 * kLanesF32; j >= 0; j -= kLanesF32) {
    const I32 in_row = lane < static_cast<int32_t>(sums.pw - j);
    const float* upper = plane + j;
    for (int64_t i = 0; i < sums.ph; ++i, upper += 2 * a.pairs) {
      const float* lower = 2 * i + 1 < sums.oh ? upper + a.pairs : upper;
      F32 y = max_keep_nan(load(upper), load(lower));
      if constexpr (Relu) y = relu(y);
      store(out + i * sums.out_row + j, in_row ? y : F32{});
    }
  }
}

template <int K>
void winograd_planes(const Winograd& a, const float* in, float* scratch, float* out) {
  const Conv& sums = a.sums;
  float* const columns = scratch;
  float* const transformed = columns + winograd_split(a);
  float* const products = transformed + a.points * sums.c * sums.in_plane;
  float* const pooled = products + a.points * sums.outputs * 4 * kLanesF32;
  if (a.pairs <= kLanesF32 / 2) {
    transform_planes<K, Half>(a, in + a.in_first, columns, transformed);
  } else {
    transform_planes<K, F32>(a, in + a.in_first, columns, transformed);
  }
  out += sums.out_first;
  const int64_t taps = sums.c * a.k;
  for (int64_t first = 0; first < sums.o; first += sums.outputs) {
    const int64_t outputs = sums.outputs < sums.o - first ? sums.outputs : sums.o - first;
    const float* w = sums.packed + first * taps * a.points;
    for (int64_t b = 0; b < sums.block_count; ++b) {
      const ConvBlock& block = sums.blocks[b];
      const ConvBlockFn fn = conv_block_fn(block.vectors, outputs, 1);
      for (int64_t point = 0; point < a.points; ++point) {
        fn(sums, block, transformed + point * sums.c * sums.in_plane, w + point * taps * outputs, nullptr,
           products + point * outputs * 4 * kLanesF32, 4 * kLanesF32);
      }
      pool_pairs<K>(a, block, outputs, products, sums.bias + first, pooled);
    }
    for (int64_t o = 0; o < outputs; ++o)
      sums.relu ? pool_rows<true>(a, pooled + o * sums.scratch_plane, out + (first + o) * sums.out_plane)
                : pool_rows<false>(a, pooled + o * sums.scratch_plane, out + (first + o) * sums.out_plane);
  }
}

void winograd_run(const Winograd& a, const float* in, float* scratch, float* out) {
  a.k == 3 ? winograd_planes<3>(a, in, scratch, out) : winograd_planes<5>(a, in, scratch, out);
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
