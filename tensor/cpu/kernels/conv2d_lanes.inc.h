#pragma once
// This is the body of conv2d_lanes.h, with the packing and block sizes of conv2d_direct.inc.h:
// kForwardVectors pixels of a row, or kWeightTaps taps of one, by as many outputs. Every element of an image
// is a vector, one lane an image (lanes.inc.h). Workspaces, the weights packed as conv2d_pack does:
//
//   forward    | x: c*h*w vectors | y: o*oh*ow vectors | packed weights |
//   backward   | x: c*h*w vectors | dx: c*h*w vectors  | dy: o*oh*ow vectors | packed weights |

#include "tensor/cpu/kernels/conv2d_direct.inc.h"
#include "tensor/cpu/kernels/conv2d_lanes.h"
#include "tensor/cpu/kernels/lanes.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// ---- forward

struct Range {
  int64_t begin, end;
};

[[gnu::always_inline]] inline Range clip(int64_t begin, int64_t end, int64_t low, int64_t high) {
  if (begin < low) begin = low;
  if (end > high) end = high;
  return {begin, end < begin ? begin : end};
}

// Returns i, or the end of `done` if it lies there: what the main loops leave to the edges.
[[gnu::always_inline]] inline int64_t after(int64_t i, Range done) {
  return i >= done.begin && i < done.end ? done.end : i;
}

template <class T>
struct LanePixels {
  const T* x;  // lanes
  const T* w;  // packed (c, kh, kw, outputs)
  const T* bias;
  T* y;  // lanes; of the first output
  Conv2dDims d;
};

// Computes pixels j, …, j + Pixels - 1 of row i.
template <class T, int Pixels, int Outputs>
[[gnu::noinline]] void lane_pixels(const LanePixels<T>& a, int64_t i, int64_t j) {
  constexpr int64_t L = kLanes<T>;
  const int64_t top = i - a.d.pad_h, left = j - a.d.pad_w, kw = a.d.kw, width = a.d.w;
  const Range ky = clip(-top, a.d.h - top, 0, a.d.kh);
  // `any` are the taps that one of the pixels has inside the image, `all` those that all of them have.
  const Range any = clip(-left - (Pixels - 1), width - left, 0, kw);
  const Range all = clip(-left, width - left - (Pixels - 1), any.begin, any.end);
  Simd<T> acc[Outputs][Pixels];
  CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
    const Simd<T> bias = (a.bias ? a.bias[o] : T(0)) - Simd<T>{};
    CBNET_UNROLL for (int p = 0; p < Pixels; ++p) acc[o][p] = bias;
  }
  for (int64_t c = 0; c < a.d.c; ++c) {
    for (int64_t k = ky.begin; k < ky.end; ++k) {
      const T* x = a.x + ((c * a.d.h + top + k) * width + left) * L;
      const T* w = a.w + (c * a.d.kh + k) * kw * Outputs;
      for (int64_t kx = all.begin; kx < all.end; ++kx) {
        Simd<T> pixel[Pixels];
        CBNET_UNROLL for (int p = 0; p < Pixels; ++p) pixel[p] = load(x + (kx + p) * L);
        CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
          const Simd<T> tap = w[kx * Outputs + o] - Simd<T>{};
          CBNET_UNROLL for (int p = 0; p < Pixels; ++p) acc[o][p] += tap * pixel[p];
        }
      }
      for (int64_t kx = after(any.begin, all); kx < any.end; kx = after(kx + 1, all)) {
        CBNET_UNROLL for (int p = 0; p < Pixels; ++p) {
          if (left + kx + p < 0 || left + kx + p >= width) continue;
          const Simd<T> pixel = load(x + (kx + p) * L);
          CBNET_UNROLL for (int o = 0; o < Outputs; ++o) acc[o][p] += w[kx * Outputs + o] * pixel;
        }
      }
    }
  }
  T* y = a.y + (i * a.d.ow() + j) * L;
  CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
    CBNET_UNROLL for (int p = 0; p < Pixels; ++p) store(y + (o * a.d.oh() * a.d.ow() + p) * L, acc[o][p]);
  }
}

template <class T>
struct LanePixelsBlock {
  template <int Pixels, int Outputs>
  static constexpr auto at = lane_pixels<T, Pixels, Outputs>;
};

// Convolves one group of images, all in lanes.
template <class T>
void lanes_forward(const T* x, const T* packed, const T* bias, T* y, const Conv2dDims& d) {
  const Split outputs(d.o, kForwardOutputs), pixels(d.ow(), kForwardVectors);
  for (int64_t block = 0, o = 0; block < outputs.blocks; o += outputs[block++]) {
    const LanePixels<T> args{x, packed + o * d.c * d.kh * d.kw, bias ? bias + o : nullptr,
                             y + o * d.oh() * d.ow() * kLanes<T>, d};
    for (int64_t i = 0; i < d.oh(); ++i) {
      for (int64_t run = 0, j = 0; run < pixels.blocks; j += pixels[run++]) {
        pick<LanePixelsBlock<T>, kForwardVectors, kForwardOutputs>(pixels[run], outputs[block])(args, i, j);
      }
    }
  }
}

template <class T>
void conv2d_lanes_forward(const T* x, const T* w, const T* bias, T* y, const Conv2dDims& d, T* workspace) {
  const int64_t x_size = d.c * d.h * d.w, y_size = d.o * d.oh() * d.ow();
  T* const xs = align(workspace);
  T* const ys = xs + x_size * kLanes<T>;
  T* const packed = ys + y_size * kLanes<T>;
  conv2d_pack(w, packed, d);
  for (int64_t n = 0; n < d.n; n += kLanes<T>) {
    const int64_t images = d.n - n < kLanes<T> ? d.n - n : kLanes<T>;
    to_lanes(x + n * x_size, images, x_size, xs);
    lanes_forward(xs, packed, bias, ys, d);
    from_lanes(ys, images, y_size, y + n * y_size);
  }
}

// ---- backward

template <class T>
struct LaneTaps {
  const T* x;   // lanes; of one channel
  const T* dy;  // lanes; of the first output
  Conv2dDims d;
  T* dw;  // of the first output, channel and tap
};

// Adds up taps kx, …, kx + Taps - 1 of row ky of a kernel.
template <class T, int Outputs, int Taps>
[[gnu::noinline]] void lane_taps(const LaneTaps<T>& a, int64_t ky, int64_t kx) {
  constexpr int64_t L = kLanes<T>;
  const int64_t width = a.d.w, ow = a.d.ow(), plane = a.d.oh() * ow * L;
  const int64_t left = kx - a.d.pad_w;
  const Range rows = clip(a.d.pad_h - ky, a.d.h + a.d.pad_h - ky, 0, a.d.oh());
  const Range all = clip(-left, width - left - (Taps - 1), 0, ow);
  Simd<T> acc[Outputs][Taps];
  CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
    CBNET_UNROLL for (int t = 0; t < Taps; ++t) acc[o][t] = Simd<T>{};
  }
  for (int64_t i = rows.begin; i < rows.end; ++i) {
    const T* x = a.x + ((i + ky - a.d.pad_h) * width + left) * L;
    const T* dy = a.dy + i * ow * L;
    for (int64_t j = all.begin; j < all.end; ++j) {
      Simd<T> pixel[Taps];
      CBNET_UNROLL for (int t = 0; t < Taps; ++t) pixel[t] = load(x + (j + t) * L);
      CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
        const Simd<T> grad = load(dy + o * plane + j * L);
        CBNET_UNROLL for (int t = 0; t < Taps; ++t) acc[o][t] += grad * pixel[t];
      }
    }
    for (int64_t j = after(0, all); j < ow; j = after(j + 1, all)) {
      CBNET_UNROLL for (int t = 0; t < Taps; ++t) {
        if (left + j + t < 0 || left + j + t >= width) continue;
        const Simd<T> pixel = load(x + (j + t) * L);
        CBNET_UNROLL for (int o = 0; o < Outputs; ++o) acc[o][t] += load(dy + o * plane + j * L) * pixel;
      }
    }
  }
  const int64_t taps = a.d.c * a.d.kh * a.d.kw;
  CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
    CBNET_UNROLL for (int t = 0; t < Taps; ++t) {
      a.dw[o * taps + ky * a.d.kw + kx + t] += sum_lanes<T>(acc[o][t]);
    }
  }
}

template <class T>
struct LaneTapsBlock {
  template <int Outputs, int Taps>
  static constexpr auto at = lane_taps<T, Outputs, Taps>;
};

template <class T>
void lanes_backward_weight(const T* x, const T* dy, T* dw, const Conv2dDims& d) {
  const Split outputs(d.o, kWeightOutputs), taps(d.kw, kWeightTaps);
  for (int64_t block = 0, o = 0; block < outputs.blocks; o += outputs[block++]) {
    for (int64_t c = 0; c < d.c; ++c) {
      const LaneTaps<T> args{x + c * d.h * d.w * kLanes<T>, dy + o * d.oh() * d.ow() * kLanes<T>, d,
                             dw + (o * d.c + c) * d.kh * d.kw};
      for (int64_t ky = 0; ky < d.kh; ++ky) {
        for (int64_t run = 0, kx = 0; run < taps.blocks; kx += taps[run++]) {
          pick<LaneTapsBlock<T>, kWeightOutputs, kWeightTaps>(outputs[block], taps[run])(args, ky, kx);
        }
      }
    }
  }
}

// The sums are f64, for they run over many pixels; sixteen run side by side.
template <class T>
void lanes_backward_bias(const T* dy, double* dbias, const Conv2dDims& d) {
  const int64_t plane = d.oh() * d.ow() * kLanes<T>;
  for (int64_t o = 0; o < d.o; ++o, dy += plane) {
    double sums[16] = {};
    int64_t e = 0;
    for (; e + 16 <= plane; e += 16) {
      CBNET_UNROLL for (int64_t lane = 0; lane < 16; ++lane) sums[lane] += static_cast<double>(dy[e + lane]);
    }
    for (; e < plane; ++e) sums[0] += static_cast<double>(dy[e]);
    for (const double sum : sums) dbias[o] += sum;
  }
}

template <class T>
void conv2d_lanes_backward(const LanesBackward<T>& arrays, const Conv2dDims& d, T* workspace) {
  const auto [x, w, dy, dx, dw, dbias] = arrays;
  const int64_t x_size = d.c * d.h * d.w, y_size = d.o * d.oh() * d.ow();
  T* const xs = align(workspace);
  T* const dxs = xs + x_size * kLanes<T>;
  T* const dys = dxs + x_size * kLanes<T>;
  T* const packed = dys + y_size * kLanes<T>;
  const Conv2dDims transposed = d.transposed();
  if (dx) pack(w, packed, transposed, d.kh * d.kw, d.c * d.kh * d.kw, true);
  for (int64_t n = 0; n < d.n; n += kLanes<T>) {
    const int64_t images = d.n - n < kLanes<T> ? d.n - n : kLanes<T>;
    to_lanes(dy + n * y_size, images, y_size, dys);
    if (dbias) lanes_backward_bias(dys, dbias, d);
    if (dw) {
      to_lanes(x + n * x_size, images, x_size, xs);
      lanes_backward_weight(xs, dys, dw, d);
    }
    if (dx) {
      lanes_forward<T>(dys, packed, nullptr, dxs, transposed);
      from_lanes(dxs, images, x_size, dx + n * x_size);
    }
  }
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
