#pragma once
// This is the body of channels_u8.h, by the K-blocks of linear_k_block.inc.h.

#include "tensor/cpu/kernels/channels.inc.h"
#include "tensor/cpu/kernels/channels_u8.h"
#include "tensor/cpu/kernels/linear_finish.inc.h"
#include "tensor/cpu/kernels/linear_k_block.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

/// Returns as many bytes as a vector has lanes, one a lane.
[[gnu::always_inline]] inline I32 load_bytes(const uint8_t* p) {
#if defined(__AVX512F__)
  return bits<I32>(_mm512_maskz_cvtepu8_epi32(static_cast<__mmask16>(-1),
                                              _mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#elif defined(__AVX2__)
  return bits<I32>(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#elif CBNET_VECTOR_BYTES
  I32 out;
  for (int i = 0; i < kLanesF32; ++i) out[i] = p[i];
  return out;
#else
  return *p;
#endif
}

[[gnu::always_inline]] inline void store_rounded(uint8_t* p, F32 y) {
  store_bytes(p, bits<U32>(y + kRounding));
}

/// Finishes the sums of a vector of channels; `to` counts from the first element of `out`.
[[gnu::always_inline]] inline void finish_bytes(const ByteFinish& f, I32 sum, int64_t channel,
                                                const uint8_t* add, void* out, int64_t to) {
  F32 y = to_float(sum) * load(f.scale + channel) + load(f.offset + channel);
  if (add != nullptr) y += to_float(load_bytes(add)) * f.add_scale;
  y = clamp(y, f.low, f.high);
  if (f.to_f32)
    store(static_cast<float*>(out) + to, y);
  else
    store_rounded(static_cast<uint8_t*>(out) + to, y);
}

/// Makes P pixels by V vectors of channels.
template <int P, int V>
[[gnu::noinline]] void byte_block(const ByteConv& a, int64_t pixel, int64_t channel, const uint8_t* in,
                                  const int8_t* w, const uint8_t* add, void* out) {
  constexpr int64_t kWeights = 4 * kLanesF32;
  const uint8_t* x[P];
  CBNET_UNROLL for (int p = 0; p < P; ++p) x[p] = in + a.in_offsets[pixel + p];
  I32 sum[P][V] = {};
  for (int64_t r = 0; r < a.runs; ++r) {
    const int64_t first = a.run_offsets[r], end = first + 4 * a.k_blocks;
    for (int64_t k = first; k < end; k += 4) {
      typename KBlockS8::Wide weight[V];
      CBNET_UNROLL for (int v = 0; v < V; ++v) weight[v] = KBlockS8::widen(w + v * kWeights, 0);
      CBNET_UNROLL for (int p = 0; p < P; ++p) {
        const typename KBlockS8::Spread spread = KBlockS8::spread(x[p] + k);
        CBNET_UNROLL for (int v = 0; v < V; ++v) KBlockS8::add(sum[p][v], weight[v], spread);
      }
      w += V * kWeights;
    }
  }
  CBNET_UNROLL for (int p = 0; p < P; ++p) {
    const uint8_t* const addend = add == nullptr ? nullptr : add + a.add_offsets[pixel + p] + channel;
    CBNET_UNROLL for (int v = 0; v < V; ++v) finish_bytes(
        a.finish, sum[p][v], channel + v * kLanesF32, addend == nullptr ? nullptr : addend + v * kLanesF32,
        out, a.out_offsets[pixel + p] + channel + v * kLanesF32);
  }
}

struct ByteBlockFn {
  template <int P, int V>
  static void at(const ByteConv& a, int64_t pixel, int64_t channel, const uint8_t* in, const int8_t* w,
                 const uint8_t* add, void* out) {
    // The planner keeps to what fits the registers.
    if constexpr (P * V + V + 1 <= kChannelsRegisters) byte_block<P, V>(a, pixel, channel, in, w, add, out);
  }
};

void byte_conv(const ByteConv& a, const uint8_t* in, const uint8_t* add, void* out) {
  const Split vectors(a.vectors, a.block_vectors), pixels(a.pixels, a.block_pixels);
  const int64_t window = a.runs * a.k_blocks * 4 * kLanesF32;
  for (int64_t b = 0; b < vectors.blocks; ++b) {
    const int64_t first = vectors.first(b);
    for (int64_t t = 0; t < pixels.blocks; ++t) {
      const auto block = pick<ByteBlockFn, kChannelsPixels, kChannelsVectors>(pixels[t], vectors[b]);
      block(a, pixels.first(t), first * kLanesF32, in + a.first_inputs[b], a.packed + first * window, add,
            out);
    }
  }
}

// ---- one channel for each

/// Writes to[4 e + i] = rows[i][e] for e below `count`, rounded up to 64.
[[gnu::noinline]] void interleave_rows(const uint8_t* const (&rows)[4], int64_t count, uint8_t* to) {
#if defined(__AVX512BW__)
  // Unpacking goes by 128 bits: the fours of elements of which each makes a lane are brought there first.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  for (int64_t e = 0; e < count; e += 64, to += 256) {
    __m512i r[4];
    CBNET_UNROLL for (int i = 0; i < 4; ++i) r[i] =
        _mm512_maskz_permutexvar_epi32(static_cast<__mmask16>(-1), order, _mm512_loadu_si512(rows[i] + e));
    const __m512i low01 = _mm512_unpacklo_epi8(r[0], r[1]), low23 = _mm512_unpacklo_epi8(r[2], r[3]);
    const __m512i high01 = _mm512_unpackhi_epi8(r[0], r[1]), high23 = _mm512_unpackhi_epi8(r[2], r[3]);
    _mm512_storeu_si512(to, _mm512_unpacklo_epi16(low01, low23));
    _mm512_storeu_si512(to + 64, _mm512_unpackhi_epi16(low01, low23));
    _mm512_storeu_si512(to + 128, _mm512_unpacklo_epi16(high01, high23));
    _mm512_storeu_si512(to + 192, _mm512_unpackhi_epi16(high01, high23));
  }
#elif defined(__AVX2__)
  for (int64_t e = 0; e < count; e += 16, to += 64) {
    __m128i r[4];
    CBNET_UNROLL for (int i = 0; i < 4; ++i) r[i] =
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[i] + e));
    const __m128i low01 = _mm_unpacklo_epi8(r[0], r[1]), low23 = _mm_unpacklo_epi8(r[2], r[3]);
    const __m128i high01 = _mm_unpackhi_epi8(r[0], r[1]), high23 = _mm_unpackhi_epi8(r[2], r[3]);
    auto* const out = reinterpret_cast<__m128i*>(to);
    _mm_storeu_si128(out, _mm_unpacklo_epi16(low01, low23));
    _mm_storeu_si128(out + 1, _mm_unpackhi_epi16(low01, low23));
    _mm_storeu_si128(out + 2, _mm_unpacklo_epi16(high01, high23));
    _mm_storeu_si128(out + 3, _mm_unpackhi_epi16(high01, high23));
  }
#else
  for (int64_t e = 0; e < count; ++e) {
    for (int i = 0; i < 4; ++i) to[4 * e + i] = rows[i][e];
  }
#endif
}

template <int P>
[[gnu::noinline]] void byte_depthwise_block(const ByteDepthwise& a, int64_t column, int64_t vector,
                                            const uint8_t* in, void* out, const int32_t* out_offsets) {
  const uint8_t* x[P];
  CBNET_UNROLL for (int p = 0; p < P; ++p) x[p] = in + 4 * (a.in_offsets[column + p] + vector * kLanesF32);
  const int8_t* w = a.packed + vector * a.taps * 4 * kLanesF32;
  I32 sum[P] = {};
  for (int64_t t = 0; t < a.taps; ++t, w += 4 * kLanesF32) {
    const typename KBlockS8::Wide weight = KBlockS8::widen(w, 0);
    CBNET_UNROLL for (int p = 0; p < P; ++p)
        KBlockS8::add(sum[p], weight, KBlockS8::lanes(x[p] + a.tap_offsets[t]));
  }
  CBNET_UNROLL for (int p = 0; p < P; ++p) finish_bytes(a.finish, sum[p], vector * kLanesF32, nullptr, out,
                                                        out_offsets[column + p] + vector * kLanesF32);
}

struct ByteDepthwiseFn {
  template <int P, int V>
  static void at(const ByteDepthwise& a, int64_t column, int64_t vector, const uint8_t* in, void* out,
                 const int32_t* out_offsets) {
    byte_depthwise_block<P>(a, column, vector, in, out, out_offsets);
  }
};

void byte_depthwise(const ByteDepthwise& a, const uint8_t* in, uint8_t* scratch, void* out) {
  constexpr int kColumns = 8;
  const Split columns(a.columns, kColumns);
  const int64_t four = round_up(4 * a.row, 256);
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t f = 0; f < a.fours; ++f) {
      const int32_t* const offsets = a.row_offsets + (i * a.fours + f) * 4;
      const uint8_t* const rows[4] = {in + offsets[0], in + offsets[1], in + offsets[2], in + offsets[3]};
      interleave_rows(rows, a.row, scratch + f * four);
    }
    for (int64_t v = 0; v < a.vectors; ++v) {
      for (int64_t t = 0; t < columns.blocks; ++t) {
        const auto block = pick<ByteDepthwiseFn, kColumns, 1>(columns[t], 1);
        block(a, columns.first(t), v, scratch, out, a.out_offsets + i * a.columns);
      }
    }
  }
}

// ---- pools and sums

using Bytes16 = typename SimdOf<uint8_t, 16>::type;
using LooseBytes16 = typename SimdOf<uint8_t, 16>::loose;

void byte_max_pool(const BytePool& a, const uint8_t* in, uint8_t* out) {
  const Bytes16 low = static_cast<uint8_t>(a.low) - Bytes16{},
                high = static_cast<uint8_t>(a.high) - Bytes16{};
  for (int64_t p = 0; p < a.pixels; ++p) {
    const ByteWindow& window = a.windows[p];
    for (int64_t c = 0; c < a.channels; c += 16) {
      const uint8_t* row = in + window.in + c;
      Bytes16 y = low;
      for (int64_t i = 0; i < window.rows; ++i, row += a.row_step) {
        const uint8_t* x = row;
        for (int64_t j = 0; j < window.cols; ++j, x += a.col_step) {
          const Bytes16 tap = *reinterpret_cast<const LooseBytes16*>(x);
          y = y > tap ? y : tap;
        }
      }
      *reinterpret_cast<LooseBytes16*>(out + window.out + c) = y < high ? y : high;
    }
  }
}

void byte_average_pool(const BytePool& a, const uint8_t* in, uint8_t* out) {
  for (int64_t p = 0; p < a.pixels; ++p) {
    const ByteWindow& window = a.windows[p];
    for (int64_t c = 0; c < a.channels; c += kLanesF32) {
      const uint8_t* row = in + window.in + c;
      I32 sum{};
      for (int64_t i = 0; i < window.rows; ++i, row += a.row_step) {
        const uint8_t* x = row;
        for (int64_t j = 0; j < window.cols; ++j, x += a.col_step) sum += load_bytes(x);
      }
      const F32 y = to_float(sum) * window.scale + window.offset;
      store_rounded(out + window.out + c, clamp(y, a.low, a.high));
    }
  }
}

void byte_pool(const BytePool& a, const uint8_t* in, uint8_t* out) {
  a.average ? byte_average_pool(a, in, out) : byte_max_pool(a, in, out);
}

void byte_sum(const ByteSum& a, const uint8_t* left, const uint8_t* right, uint8_t* out) {
  for (int64_t i = 0; i < a.count; i += kLanesF32) {
    const F32 y = to_float(load_bytes(left + i)) * a.a_scale + to_float(load_bytes(right + i)) * a.b_scale;
    store_rounded(out + i, clamp(y + a.offset, a.low, a.high));
  }
}

constexpr ByteTable kByteTable = {
#if defined(__AVX512VNNI__)
    .relative_cost = 1.0,
#elif CBNET_VECTOR_BYTES
    .relative_cost = 4.0,  // two sums of pairs, and their halves of the bytes
#else
    .relative_cost = 10.0,
#endif
    .conv = byte_conv,
    .depthwise = byte_depthwise,
    .pool = byte_pool,
    .sum = byte_sum};

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
