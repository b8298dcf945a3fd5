#pragma once
// This is the body of fused_conv2d.h, which says what defines it and draws the planes. kAccumulators
// (blocks.inc.h) vectors of sums fit the registers beside what a step of the loop loads. Packed weights:
//
//   | first block of outputs: c, kh, kw, output | second block: … |
//     (c, ky, kx) = (0, 0, 0): o0 o1 o2 …, (0, 0, 1): o0 o1 o2 …

#include "tensor/cpu/kernels/blocks.inc.h"
#include "tensor/cpu/kernels/fused_conv2d.h"
#include "tensor/cpu/kernels/simd.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// ---- sums

// Computes one block of q for `Outputs` channels, which go to planes of out, `pitch` elements apart. Kw is
// the width of the kernel where it is unrolled, else 0. A null `bias` is zeros.
template <int Vectors, int Outputs, int Kw>
[[gnu::noinline]] void conv_block(const Conv& a, const ConvBlock& block, const float* in, const float* w,
                                  const float* bias, float* out, int64_t pitch) {
  F32 sum[Outputs][Vectors];
  CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
    CBNET_UNROLL for (int v = 0; v < Vectors; ++v) sum[o][v] = bias != nullptr ? broadcast(bias[o]) : F32{};
  }
  const int64_t kw = Kw > 0 ? Kw : a.kw;
  const int64_t row = a.row;
  const int64_t rows = block.ky_end - block.ky_begin;
  const int64_t skipped = (a.kh - rows) * kw * Outputs;
  const float* plane = in + block.q + block.ky_begin * row;
  w += block.ky_begin * kw * Outputs;
  for (int64_t c = a.c; c > 0; --c, plane += a.in_plane, w += skipped) {
    const float* x = plane;
    for (int64_t ky = rows; ky > 0; --ky, x += row) {
      const auto tap = [&](int64_t kx) __attribute__((always_inline)) {
        F32 pixels[Vectors];
        CBNET_UNROLL for (int v = 0; v < Vectors; ++v) pixels[v] = load(x + kx + v * kLanesF32);
        CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
          const F32 weight = broadcast(w[o]);
          CBNET_UNROLL for (int v = 0; v < Vectors; ++v) sum[o][v] += weight * pixels[v];
        }
        w += Outputs;
      };
      if constexpr (Kw > 0) {
        CBNET_UNROLL for (int kx = 0; kx < Kw; ++kx) tap(kx);
      } else {
        for (int64_t kx = 0; kx < kw; ++kx) tap(kx);
      }
    }
  }
  CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
    CBNET_UNROLL for (int v = 0; v < Vectors; ++v) { store(out + o * pitch + v * kLanesF32, sum[o][v]); }
  }
}

using ConvBlockFn = void (*)(const Conv&, const ConvBlock&, const float*, const float*, const float*, float*,
                             int64_t);

template <int Vectors, int Outputs>
ConvBlockFn conv_block_fn(int64_t kw) {
  if constexpr (Vectors * Outputs <= kAccumulators) {
    if (kw == 5) return conv_block<Vectors, Outputs, 5>;
    if (kw == 3) return conv_block<Vectors, Outputs, 3>;
    if (kw == 1) return conv_block<Vectors, Outputs, 1>;
    return conv_block<Vectors, Outputs, 0>;
  } else {
    static_cast<void>(kw);
    return nullptr;  // the planner keeps to the tiles below
  }
}

template <int Vectors>
ConvBlockFn conv_block_fn(int64_t outputs, int64_t kw) {
  switch (outputs) {
    case 1:
      return conv_block_fn<Vectors, 1>(kw);
    case 2:
      return conv_block_fn<Vectors, 2>(kw);
    case 3:
      return conv_block_fn<Vectors, 3>(kw);
    case 4:
      return conv_block_fn<Vectors, 4>(kw);
    case 5:
      return conv_block_fn<Vectors, 5>(kw);
    case 6:
      return conv_block_fn<Vectors, 6>(kw);
    case 8:
      return conv_block_fn<Vectors, 8>(kw);
    case 10:
      return conv_block_fn<Vectors, 10>(kw);
    case 12:
      return conv_block_fn<Vectors, 12>(kw);
    case 16:
      return conv_block_fn<Vectors, 16>(kw);
    default:
      return conv_block_fn<Vectors, 20>(kw);
  }
}

ConvBlockFn conv_block_fn(int64_t vectors, int64_t outputs, int64_t kw) {
  if (vectors == 1) return conv_block_fn<1>(outputs, kw);
  if (vectors == 2) return conv_block_fn<2>(outputs, kw);
  if (vectors == 3) return conv_block_fn<3>(outputs, kw);
  return conv_block_fn<4>(outputs, kw);
}

// ---- results

/// even() and odd() return elements 0, 2, 4, … and 1, 3, 5, … of a followed by b.
[[gnu::always_inline]] inline F32 even(F32 a, F32 b) {
#if CBNET_VECTOR_BYTES == 64
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
#elif CBNET_VECTOR_BYTES == 32
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
#elif CBNET_VECTOR_BYTES == 16
  return __builtin_shufflevector(a, b, 0, 2, 4, 6);
#else
  static_cast<void>(b);
  return a;
#endif
}
[[gnu::always_inline]] inline F32 odd(F32 a, F32 b) {
#if CBNET_VECTOR_BYTES == 64
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif CBNET_VECTOR_BYTES == 32
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#elif CBNET_VECTOR_BYTES == 16
  return __builtin_shufflevector(a, b, 1, 3, 5, 7);
#else
  static_cast<void>(a);
  return b;
#endif
}

// Brings `planes` planes of sums to where the next layer reads them. Lanes past the end of a row are written
// as zeros, which is what the next row's left padding holds; its own elements come after.
template <bool Pool, bool Relu>
void conv_results(const Conv& a, const float* sums, int64_t planes, float* out) {
  const I32 lane = iota();
  const int32_t alone = a.ow % 2 == 1 ? static_cast<int32_t>(a.ow / 2) : -1;  // a window of one column
  for (int64_t plane = 0; plane < planes; ++plane, sums += a.scratch_plane, out += a.out_plane) {
    for (int64_t i = 0; i < a.ph; ++i) {
      const float* upper = sums + (Pool ? 2 * i : i) * a.row;
      const float* lower = 2 * i + 1 < a.oh ? upper + a.row : upper;
      for (int64_t j = 0; j < a.pw; j += kLanesF32) {
        F32 y;
        if constexpr (Pool) {
          const F32 left = max_keep_nan(load(upper + 2 * j), load(lower + 2 * j));
          const F32 right = max_keep_nan(load(upper + 2 * j + kLanesF32), load(lower + 2 * j + kLanesF32));
          const F32 first = even(left, right);
          const F32 second = odd(left, right);
          y = lane == alone - static_cast<int32_t>(j) ? first : max_keep_nan(first, second);
        } else {
          y = load(upper + j);
        }
        if constexpr (Relu) y = relu(y);
        store(out + i * a.out_row + j, lane < static_cast<int32_t>(a.pw - j) ? y : F32{});
      }
    }
  }
}

void conv_run(const Conv& a, const float* in, float* scratch, float* out) {
  in += a.in_first;
  out += a.out_first;
  const int64_t taps = a.c * a.kh * a.kw;
  for (int64_t first = 0; first < a.o; first += a.outputs) {
    const int64_t outputs = a.outputs < a.o - first ? a.outputs : a.o - first;
    for (int64_t b = 0; b < a.block_count; ++b) {
      const ConvBlock& block = a.blocks[b];
      conv_block_fn(block.vectors, outputs, a.kw)(a, block, in, a.packed + first * taps, a.bias + first,
                                                  scratch + block.q, a.scratch_plane);
    }
    float* to = out + first * a.out_plane;
    if (a.pool) {
      a.relu ? conv_results<true, true>(a, scratch, outputs, to)
             : conv_results<true, false>(a, scratch, outputs, to);
    } else {
      a.relu ? conv_results<false, true>(a, scratch, outputs, to)
             : conv_results<false, false>(a, scratch, outputs, to);
    }
  }
}

// ---- pixels

#if CBNET_VECTOR_BYTES
typedef uint8_t Bytes __attribute__((vector_size(CBNET_VECTOR_BYTES / 4), aligned(1), may_alias));
[[gnu::always_inline]] inline F32 to_vec(const uint8_t* p) {
  const Bytes bytes = *reinterpret_cast<const Bytes*>(p);
  // GCC 12 takes a conversion of vectors apart into one of each element.
#if CBNET_VECTOR_BYTES == 64 && defined(__AVX512F__)
  return _mm512_maskz_cvtepi32_ps(0xFFFF, _mm512_maskz_cvtepu8_epi32(0xFFFF, bits<__m128i>(bytes)));
#elif CBNET_VECTOR_BYTES == 32 && defined(__AVX2__)
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bits<int64_t>(bytes))));
#else
  return __builtin_convertvector(bytes, F32);
#endif
}
#else
[[gnu::always_inline]] inline F32 to_vec(const uint8_t* p) { return static_cast<float>(*p); }
#endif

// Stores x / 255 correctly rounded, without a division: one step of Newton's follows the product.
[[gnu::always_inline]] inline void pixels_at(const uint8_t* from, float* to) {
  constexpr float kInverse = 1.0F / 255.0F;
  const F32 x = to_vec(from);
  const F32 y = x * kInverse;
  store(to, y + (x - y * 255.0F) * kInverse);
}

void pixels_run(const uint8_t* from, float* to, int64_t h, int64_t w, int64_t row) {
  for (int64_t i = 0; i < h; ++i, from += w, to += row) {
    if (w < kLanesF32) {
      for (int64_t j = 0; j < w; ++j) to[j] = static_cast<float>(from[j]) / 255.0F;
      continue;
    }
    for (int64_t j = 0; j + kLanesF32 <= w; j += kLanesF32) pixels_at(from + j, to + j);
    pixels_at(from + w - kLanesF32, to + w - kLanesF32);  // over what is there, where w is no multiple
  }
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
