#pragma once

#include <cmath>

#include "tensor/cuda/elements.cuh"
#include "tensor/cuda/network.h"

// These are the steps of a network program as a team of blocks computes them. Every function computes the
// outputs of its thread; the caller waits for the team behind each step. The plain definitions are those of
// tensor/reference.

namespace cbnet::cuda::net {

/// This is a thread among those of its team.
struct Member {
  int thread, threads;  // of the block
  int block, blocks;    // of the team
  __device__ int number() const { return block * threads + thread; }
  __device__ int count() const { return blocks * threads; }
};

__device__ inline float activated(NetActivation activation, float value, float x) {
  switch (activation) {
    case NetActivation::none:
      break;
    case NetActivation::relu:
      return x > 0.0F ? x : x < 0.0F ? 0.0F : x;
    case NetActivation::leaky_relu:
      return x > 0.0F ? x : value * x;
    case NetActivation::sigmoid:
      return 1.0F / (1.0F + std::exp(-x));
    case NetActivation::tanh:
      return std::tanh(x);
    case NetActivation::rescale:
      return value * x < 1.0F ? value * x : value * x >= 1.0F ? 1.0F : x;
  }
  return x;
}

/// These are weights and bias of a step as its block sees them: `first` is the first row that stands there.
struct Rows {
  const float *weight, *bias;  // bias may be null
  int first, end;
};

//  A convolution of stride 1 goes by tiles of 2 x 2 outputs, kFilters of them at a time. The (K + 1) x (K +
//  1) inputs under a tile are read once into registers; each weight is then multiplied by four of them:
//
//     x x x x x x        K = 5, the four windows of the tile: their corners are the four x of the upper left
//     x x x x x x
//     . . . . . .   ->   y y
//     x x x x x x        y y
template <int K, int kFilters>
__device__ void conv_tiles(const NetStep& s, const Member& me, const Rows& rows, const float* x, float* y) {
  const int tiles_w = (s.ow + 1) / 2, tiles = (s.oh + 1) / 2 * tiles_w;
  const int items = (s.o + kFilters - 1) / kFilters * tiles;
  for (int item = me.number(); item < items; item += me.count()) {
    const int group = item / tiles, tile = item - group * tiles, o = group * kFilters;
    const int oy = tile / tiles_w * 2, ox = (tile - tile / tiles_w * tiles_w) * 2;
    float sums[kFilters][4];
#pragma unroll
    for (int f = 0; f < kFilters; ++f) {
      const float start = rows.bias != nullptr && o + f < s.o ? rows.bias[o + f] : 0.0F;
#pragma unroll
      for (float& sum : sums[f]) sum = start;
    }
    for (int c = 0; c < s.c; ++c) {
      float patch[K + 1][K + 1];
#pragma unroll
      for (int i = 0; i <= K; ++i) {
#pragma unroll
        for (int j = 0; j <= K; ++j) {
          const int row = oy - s.pad_h + i, column = ox - s.pad_w + j;
          const bool inside = row >= 0 && row < s.h && column >= 0 && column < s.w;
          patch[i][j] = inside ? x[(c * s.h + row) * s.w + column] : 0.0F;
        }
      }
#pragma unroll
      for (int f = 0; f < kFilters; ++f) {
        if (o + f >= s.o) continue;
        const float* weight = rows.weight + ((o + f) * s.c + c) * K * K;
#pragma unroll
        for (int i = 0; i < K; ++i) {
#pragma unroll
          for (int j = 0; j < K; ++j) {
            const float w = weight[i * K + j];
            sums[f][0] += w * patch[i][j];
            sums[f][1] += w * patch[i][j + 1];
            sums[f][2] += w * patch[i + 1][j];
            sums[f][3] += w * patch[i + 1][j + 1];
          }
        }
      }
    }
#pragma unroll
    for (int f = 0; f < kFilters; ++f) {
      if (o + f >= s.o) continue;
      if (s.pool == 2) {
        // Outputs of an odd last row or column belong to no window, and neither does their tile.
        if (oy + 1 >= s.oh || ox + 1 >= s.ow) continue;
        float largest = sums[f][0];
#pragma unroll
        for (const float sum : sums[f]) largest = sum > largest || sum != sum ? sum : largest;
        y[(o + f) * (s.oh / 2) * (s.ow / 2) + oy / 2 * (s.ow / 2) + ox / 2] =
            activated(s.activation, s.value, largest);
        continue;
      }
#pragma unroll
      for (int t = 0; t < 4; ++t) {
        if (oy + t / 2 < s.oh && ox + t % 2 < s.ow)
          y[((o + f) * s.oh + oy + t / 2) * s.ow + ox + t % 2] = activated(s.activation, s.value, sums[f][t]);
      }
    }
  }
}

/// Convolves in plain loops: any stride, dilation and groups, a thread for each output.
__device__ inline void conv_plain(const NetStep& s, const Member& me, const Rows& rows, const float* x,
                                  float* y) {
  const int channels = s.c / s.groups, filters = s.o / s.groups;
  for (int i = me.number(); i < s.o * s.oh * s.ow; i += me.count()) {
    const int o = i / (s.oh * s.ow), pixel = i - o * s.oh * s.ow, oy = pixel / s.ow, ox = pixel - oy * s.ow;
    float sum = rows.bias != nullptr ? rows.bias[o] : 0.0F;
    for (int c = 0; c < channels; ++c) {
      const float* plane = x + (o / filters * channels + c) * s.h * s.w;
      const float* weight = rows.weight + (o * channels + c) * s.kh * s.kw;
      for (int ky = 0; ky < s.kh; ++ky) {
        const int row = oy * s.stride_h - s.pad_h + ky * s.dilation_h;
        for (int kx = 0; kx < s.kw; ++kx) {
          const int column = ox * s.stride_w - s.pad_w + kx * s.dilation_w;
          if (row >= 0 && row < s.h && column >= 0 && column < s.w)
            sum += weight[ky * s.kw + kx] * plane[row * s.w + column];
        }
      }
    }
    y[i] = activated(s.activation, s.value, sum);
  }
}

__device__ inline void conv2d(const NetStep& s, const Member& me, const Rows& rows, const float* x,
                              float* y) {
  const bool tiles =
      s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 && s.dilation_w == 1 && s.groups == 1;
  // Two filters at a time halve the reading of inputs; one makes more threads busy.
  const bool enough = s.o % 2 == 0 && s.o / 2 * ((s.oh + 1) / 2) * ((s.ow + 1) / 2) >= me.count();
  if (tiles && s.kh == 5 && s.kw == 5)
    return enough ? conv_tiles<5, 2>(s, me, rows, x, y) : conv_tiles<5, 1>(s, me, rows, x, y);
  if (tiles && s.kh == 3 && s.kw == 3)
    return enough ? conv_tiles<3, 2>(s, me, rows, x, y) : conv_tiles<3, 1>(s, me, rows, x, y);
  conv_plain(s, me, rows, x, y);
}

/// A warp takes each row of the block's part.
__device__ inline void linear(const NetStep& s, const Member& me, const Rows& rows, const float* x,
                              float* y) {
  const int lane = me.thread % 32, warps = me.threads / 32;
  for (int row = rows.first + me.thread / 32; row < rows.end; row += warps) {
    const float* weight = rows.weight + (row - rows.first) * s.c;
    float sum = 0.0F, more = 0.0F;
    int k = lane;
    for (; k + 32 < s.c; k += 64) {
      sum += weight[k] * x[k];
      more += weight[k + 32] * x[k + 32];
    }
    if (k < s.c) sum += weight[k] * x[k];
    sum = warp_reduce(sum + more, [](float a, float b) { return a + b; });
    if (lane == 0)
      y[row] =
          activated(s.activation, s.value, rows.bias == nullptr ? sum : sum + rows.bias[row - rows.first]);
  }
}

__device__ inline void pool(const NetStep& s, const Member& me, const float* x, float* y) {
  for (int i = me.number(); i < s.o * s.oh * s.ow; i += me.count()) {
    const int o = i / (s.oh * s.ow), pixel = i - o * s.oh * s.ow, oy = pixel / s.ow, ox = pixel - oy * s.ow;
    float sum = 0.0F, largest = -INFINITY;
    int inside = 0, padded = 0;
    for (int ky = 0; ky < s.kh; ++ky) {
      const int row = oy * s.stride_h - s.pad_h + ky * s.dilation_h;
      for (int kx = 0; kx < s.kw; ++kx) {
        const int column = ox * s.stride_w - s.pad_w + kx * s.dilation_w;
        padded += row < s.h + s.pad_bottom && column < s.w + s.pad_right ? 1 : 0;
        if (row < 0 || row >= s.h || column < 0 || column >= s.w) continue;
        const float value = x[(o * s.h + row) * s.w + column];
        sum += value;
        largest = value > largest || value != value ? value : largest;
        ++inside;
      }
    }
    const int divisor = s.count_include_pad && inside > 0 ? padded : inside > 0 ? inside : 1;
    y[i] = activated(s.activation, s.value,
                     s.kind == NetStepKind::avg_pool ? sum / static_cast<float>(divisor) : largest);
  }
}

__device__ inline void pointwise(const NetStep& s, const Member& me, const Rows& rows, const float* x,
                                 const float* z, float* y) {
  for (int i = me.number(); i < s.c * s.h * s.w; i += me.count()) {
    float value = x[i];
    if (s.kind == NetStepKind::add) value += z[i];
    if (s.kind == NetStepKind::mul) value *= z[i];
    if (s.kind == NetStepKind::affine) {
      const int channel = i / (s.h * s.w);
      value = value * rows.weight[channel] + (rows.bias == nullptr ? 0.0F : rows.bias[channel]);
    }
    y[i] = activated(s.activation, s.value, value);
  }
}

/// Computes the softmax of `count` numbers by one warp: probabilities at y, which may be null, in every lane
/// ln of the sum of the exponentials and the largest.
struct LogSum {
  float largest, log;
};
__device__ inline LogSum log_sum_of(const float* x, int count, int lane) {
  float largest = -INFINITY;
  for (int c = lane; c < count; c += 32) largest = x[c] > largest ? x[c] : largest;
  largest = warp_reduce(largest, [](float a, float b) { return a > b ? a : b; });
  float sum = 0.0F;
  for (int c = lane; c < count; c += 32) sum += std::exp(x[c] - largest);
  sum = warp_reduce(sum, [](float a, float b) { return a + b; });
  return {largest, std::log(sum)};
}

__device__ inline void softmax(const NetStep& s, const Member& me, const float* x, float* y) {
  if (me.block != 0 || me.thread >= 32) return;
  const LogSum log_sum = log_sum_of(x, s.c, me.thread);
  for (int c = me.thread; c < s.c; c += 32) y[c] = std::exp(x[c] - log_sum.largest - log_sum.log);
}

/// An exit says this of an image.
struct Decision {
  int label;
  float entropy;
  int leaves;
};

/// The first warp of every block decides, so that all of the team decide alike; the others wait for the
/// block.
__device__ inline void decide(const NetStep& s, const Member& me, const float* logits, Decision& out) {
  if (me.thread >= 32) return;
  const LogSum log_sum = log_sum_of(logits, s.c, me.thread);
  float entropy = 0.0F;
  int best = s.c, bad = 0;
  for (int c = me.thread; c < s.c; c += 32) {
    const float log_p = logits[c] - log_sum.largest - log_sum.log, p = std::exp(log_p);
    if (p > 0.0F) entropy -= p * log_p;
    if (logits[c] == log_sum.largest && c < best) best = c;
    if (!(logits[c] - logits[c] == 0.0F)) bad = 1;  // NaN or infinite
  }
  entropy = warp_reduce(entropy, [](float a, float b) { return a + b; });
  best = warp_reduce(best, [](int a, int b) { return a < b ? a : b; });
  bad = warp_reduce(bad, [](int a, int b) { return a | b; });
  if (me.thread != 0) return;
  out.label = bad != 0 ? -1 : best;
  out.entropy = bad != 0 ? NAN : entropy;
  out.leaves = bad == 0 && entropy < s.threshold ? 1 : 0;
}

}  // namespace cbnet::cuda::net
