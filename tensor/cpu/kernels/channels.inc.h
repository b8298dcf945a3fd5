#pragma once
// This is the body of channels.h. A block's sums stay in registers over its whole window:
//
//              V vectors of weights, packed so that a step reads the next ones
//              w[k, 0..V)
//   x[p, k] -> sum[p][0..V)     one element of P pixels, each repeated in all lanes
//
// P * V sums, V weights and 1 element must fit the registers (ChannelsTable::registers).

#include "tensor/cpu/kernels/channels.h"
#include "tensor/cpu/kernels/simd.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

#if CBNET_VECTOR_BYTES == 64 || CBNET_VECTOR_BYTES == 16
constexpr int kChannelsRegisters = 32;
#else
constexpr int kChannelsRegisters = 16;
#endif

[[gnu::always_inline]] inline F32 clamp(F32 x, float low, float high) {
  const F32 bound = broadcast(high);
  x = max(broadcast(low), x);
  return bound < x ? bound : x;  // NaN stays NaN
}

/// Makes P pixels by V vectors of channels.
template <int P, int V>
[[gnu::noinline]] void channels_block(const ChannelsConv& a, int64_t pixel, const float* in, const float* w,
                                      const float* bias, const float* add, float* out) {
  const float* x[P];
  CBNET_UNROLL for (int p = 0; p < P; ++p) x[p] = in + a.in_offsets[pixel + p];
  F32 sum[P][V];
  CBNET_UNROLL for (int v = 0; v < V; ++v) {
    const F32 b = load(bias + v * kLanesF32);
    CBNET_UNROLL for (int p = 0; p < P; ++p) sum[p][v] = b;
  }
  const auto step = [&](int64_t k) __attribute__((always_inline)) {
    F32 weight[V];
    CBNET_UNROLL for (int v = 0; v < V; ++v) weight[v] = load(w + v * kLanesF32);
    CBNET_UNROLL for (int p = 0; p < P; ++p) {
      const F32 element = broadcast(x[p][k]);
      CBNET_UNROLL for (int v = 0; v < V; ++v) sum[p][v] += element * weight[v];
    }
    w += V * kLanesF32;
  };
  for (int64_t r = 0; r < a.runs; ++r) {
    int64_t k = a.run_offsets[r];
    const int64_t end = k + a.run;
    for (; k + 4 <= end; k += 4) {
      step(k);
      step(k + 1);
      step(k + 2);
      step(k + 3);
    }
    for (; k < end; ++k) step(k);
  }
  CBNET_UNROLL for (int p = 0; p < P; ++p) {
    float* const to = out + a.out_offsets[pixel + p];
    CBNET_UNROLL for (int v = 0; v < V; ++v) {
      F32 y = sum[p][v];
      if (add != nullptr) y += load(add + a.add_offsets[pixel + p] + v * kLanesF32);
      store(to + v * kLanesF32, clamp(y, a.low, a.high));
    }
  }
}

struct ChannelsBlockFn {
  template <int P, int V>
  static void at(const ChannelsConv& a, int64_t pixel, const float* in, const float* w, const float* bias,
                 const float* add, float* out) {
    // The planner keeps to what fits the registers.
    if constexpr (P * V + V + 1 <= kChannelsRegisters) channels_block<P, V>(a, pixel, in, w, bias, add, out);
  }
};

void channels_conv(const ChannelsConv& a, const float* in, const float* add, float* out) {
  const Split vectors(a.vectors, a.block_vectors), pixels(a.pixels, a.block_pixels);
  const int64_t window = a.runs * a.run * kLanesF32;
  for (int64_t b = 0; b < vectors.blocks; ++b) {
    const int64_t first = vectors.first(b) * kLanesF32;
    for (int64_t t = 0; t < pixels.blocks; ++t) {
      const auto block = pick<ChannelsBlockFn, kChannelsPixels, kChannelsVectors>(pixels[t], vectors[b]);
      block(a, pixels.first(t), in + a.first_inputs[b], a.packed + vectors.first(b) * window, a.bias + first,
            add == nullptr ? nullptr : add + first, out + first);
    }
  }
}

// ---- F(2x2, 3x3)

/// Returns B' times a column.
[[gnu::always_inline]] inline void winograd_in(const F32 (&d)[4], F32 (&out)[4]) {
  out[0] = d[0] - d[2];
  out[1] = d[1] + d[2];
  out[2] = d[2] - d[1];
  out[3] = d[1] - d[3];
}

/// Transforms the tiles first, ..., first + count - 1 to `to`: (point, tile, channel).
void winograd_tiles(const ChannelsWinograd& a, int64_t first, int64_t count, const float* in, float* to) {
  const int64_t pitch = a.in_vectors * kLanesF32, point = a.tiles_at_once * pitch;
  for (int64_t t = 0; t < count; ++t) {
    const int32_t* const rows = a.rows + (first + t) / a.tile_columns * 4;
    const int32_t* const columns = a.columns + (first + t) % a.tile_columns * 4;
    for (int64_t c = 0; c < pitch; c += kLanesF32) {
      F32 half[4][4];  // (column, point of the rows)
      CBNET_UNROLL for (int j = 0; j < 4; ++j) {
        F32 d[4];
        CBNET_UNROLL for (int i = 0; i < 4; ++i) d[i] = load(in + rows[i] + columns[j] + c);
        winograd_in(d, half[j]);
      }
      CBNET_UNROLL for (int i = 0; i < 4; ++i) {
        const F32 d[4] = {half[0][i], half[1][i], half[2][i], half[3][i]};
        F32 out[4];
        winograd_in(d, out);
        CBNET_UNROLL for (int j = 0; j < 4; ++j) store(to + (i * 4 + j) * point + t * pitch + c, out[j]);
      }
    }
  }
}

/// Brings products (point, tile, channel) to the results of those tiles.
void winograd_results(const ChannelsWinograd& a, int64_t first, int64_t count, const float* from,
                      const float* add, float* out) {
  const int64_t pitch = a.product.vectors * kLanesF32, point = a.tiles_at_once * pitch;
  for (int64_t t = 0; t < count; ++t) {
    const int64_t row = (first + t) / a.tile_columns * 2, column = (first + t) % a.tile_columns * 2;
    for (int64_t o = 0; o < pitch; o += kLanesF32) {
      F32 half[2][4];
      CBNET_UNROLL for (int j = 0; j < 4; ++j) {
        F32 m[4];
        CBNET_UNROLL for (int i = 0; i < 4; ++i) m[i] = load(from + (i * 4 + j) * point + t * pitch + o);
        half[0][j] = m[0] + m[1] + m[2];
        half[1][j] = m[1] - m[2] - m[3];
      }
      const F32 bias = load(a.bias + o);
      CBNET_UNROLL for (int i = 0; i < 2; ++i) {
        const F32(&m)[4] = half[i];
        const F32 y[2] = {m[0] + m[1] + m[2], m[1] - m[2] - m[3]};
        CBNET_UNROLL for (int j = 0; j < 2; ++j) {
          if (row + i >= a.oh || column + j >= a.ow) continue;
          const int64_t pixel = (row + i) * a.ow + column + j;
          F32 sum = y[j] + bias;
          if (add != nullptr) sum += load(add + a.add_offsets[pixel] + o);
          store(out + a.out_offsets[pixel] + o, clamp(sum, a.low, a.high));
        }
      }
    }
  }
}

void channels_winograd(const ChannelsWinograd& a, const float* in, const float* add, float* scratch,
                       float* out) {
  const int64_t in_point = a.tiles_at_once * a.in_vectors * kLanesF32;
  const int64_t out_point = a.tiles_at_once * a.product.vectors * kLanesF32;
  float* const products = scratch + 16 * in_point;
  for (int64_t first = 0; first < a.tiles; first += a.tiles_at_once) {
    ChannelsConv product = a.product;
    product.pixels = a.tiles_at_once < a.tiles - first ? a.tiles_at_once : a.tiles - first;
    winograd_tiles(a, first, product.pixels, in, scratch);
    for (int64_t p = 0; p < 16; ++p, product.packed += a.packed_point)
      channels_conv(product, scratch + p * in_point, nullptr, products + p * out_point);
    winograd_results(a, first, product.pixels, products, add, out);
  }
}

// ---- one channel for each

template <int P>
[[gnu::noinline]] void depthwise_block(const ChannelsDepthwise& a, int64_t pixel, const float* in,
                                       const float* w, const float* bias, float* out) {
  const float* x[P];
  CBNET_UNROLL for (int p = 0; p < P; ++p) x[p] = in + a.in_offsets[pixel + p];
  F32 sum[P];
  CBNET_UNROLL for (int p = 0; p < P; ++p) sum[p] = load(bias);
  for (int64_t t = 0; t < a.taps; ++t, w += kLanesF32) {
    const F32 weight = load(w);
    const int64_t at = a.tap_offsets[t];
    CBNET_UNROLL for (int p = 0; p < P; ++p) sum[p] += load(x[p] + at) * weight;
  }
  CBNET_UNROLL for (int p = 0; p < P; ++p) {
    store(out + a.out_offsets[pixel + p], clamp(sum[p], a.low, a.high));
  }
}

struct DepthwiseBlockFn {
  template <int P, int V>
  static void at(const ChannelsDepthwise& a, int64_t pixel, const float* in, const float* w,
                 const float* bias, float* out) {
    depthwise_block<P>(a, pixel, in, w, bias, out);
  }
};

void channels_depthwise(const ChannelsDepthwise& a, const float* in, float* out) {
  constexpr int kPixels = 8;
  const Split pixels(a.pixels, kPixels);
  for (int64_t v = 0; v < a.vectors; ++v) {
    for (int64_t t = 0; t < pixels.blocks; ++t) {
      const auto block = pick<DepthwiseBlockFn, kPixels, 1>(pixels[t], 1);
      block(a, pixels.first(t), in + v * kLanesF32, a.packed + v * a.taps * kLanesF32, a.bias + v * kLanesF32,
            out + v * kLanesF32);
    }
  }
}

template <bool Average>
void channels_pool_as(const ChannelsPool& a, const float* in, float* out) {
  for (int64_t p = 0; p < a.pixels; ++p) {
    const ChannelsWindow& window = a.windows[p];
    for (int64_t v = 0; v < a.vectors; ++v) {
      const float* row = in + window.in + v * kLanesF32;
      F32 y = Average ? F32{} : load(row);
      for (int64_t i = 0; i < window.rows; ++i, row += a.row_step) {
        const float* x = row;
        for (int64_t j = 0; j < window.cols; ++j, x += a.col_step) {
          if constexpr (Average)
            y += load(x);
          else
            y = max_keep_nan(y, load(x));
        }
      }
      store(out + window.out + v * kLanesF32, clamp(Average ? y * window.scale : y, a.low, a.high));
    }
  }
}

void channels_pool(const ChannelsPool& a, const float* in, float* out) {
  a.average ? channels_pool_as<true>(a, in, out) : channels_pool_as<false>(a, in, out);
}

constexpr ChannelsTable kChannelsTable = {.registers = kChannelsRegisters,
                                          .relative_cost = CBNET_VECTOR_BYTES == 0 ? 2.5 : 1.0,
                                          .conv = channels_conv,
                                          .winograd = channels_winograd,
                                          .depthwise = channels_depthwise,
                                          .pool = channels_pool};

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
