#pragma once
// This is the body of conv2d_direct.h, which draws a plane. Blocks of sums, kForwardVectors x kForwardOutputs
// (<= Conv2dDirectLayout::kMaxOutputs) and kWeightOutputs x kWeightTaps, come from blocks.inc.h. Workspaces:
//
//   forward, backward_input   | packed weights | c planes of one image | planes of y of a block of outputs |
//   backward_weight           | group * c planes of x | group * o planes of dy |
//   packed weights            a block of outputs after the other: (c, kh, kw, outputs of the block)

#include "tensor/cpu/kernels/blocks.inc.h"
#include "tensor/cpu/kernels/conv2d_direct.h"
#include "tensor/cpu/kernels/simd.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// ---- forward

template <class T>
struct ForwardArgs {
  const T* in;  // padded planes, from the first vector of this call on
  const T* w;   // packed (c, kh, kw, outputs)
  const T* bias;
  T* out;
  int64_t c, kh, kw, row, in_plane, out_plane;
  int64_t blocks;
};

template <class T, int Vectors, int Outputs>
[[gnu::noinline]] void forward_blocks(const ForwardArgs<T>& a) {
  constexpr int64_t kStep = Vectors * kLanes<T>;
  for (int64_t block = 0; block < a.blocks; ++block) {
    Simd<T> acc[Outputs][Vectors];
    CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
      const Simd<T> bias = (a.bias ? a.bias[o] : T(0)) - Simd<T>{};
      CBNET_UNROLL for (int v = 0; v < Vectors; ++v) acc[o][v] = bias;
    }
    const T* w = a.w;
    for (int64_t c = 0; c < a.c; ++c) {
      for (int64_t ky = 0; ky < a.kh; ++ky) {
        const T* in = a.in + block * kStep + c * a.in_plane + ky * a.row;
        for (int64_t kx = 0; kx < a.kw; ++kx, ++in, w += Outputs) {
          Simd<T> x[Vectors];
          CBNET_UNROLL for (int v = 0; v < Vectors; ++v) x[v] = load(in + v * kLanes<T>);
          CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
            const Simd<T> tap = w[o] - Simd<T>{};  // x - 0 is x: a broadcast load
            CBNET_UNROLL for (int v = 0; v < Vectors; ++v) acc[o][v] += tap * x[v];
          }
        }
      }
    }
    T* out = a.out + block * kStep;
    CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
      CBNET_UNROLL for (int v = 0; v < Vectors; ++v) store(out + o * a.out_plane + v * kLanes<T>, acc[o][v]);
    }
  }
}

template <class T>
struct ForwardBlocks {
  template <int Vectors, int Outputs>
  static constexpr auto at = forward_blocks<T, Vectors, Outputs>;
};

// Element (o, c, tap) of the weights is at o * o_stride + c * c_stride + tap; `reverse` turns the taps by 180
// degrees.
template <class T>
void pack(const T* w, T* packed, const Conv2dDims& d, int64_t o_stride, int64_t c_stride, bool reverse) {
  const Split outputs(d.o, kForwardOutputs);
  const int64_t taps = d.kh * d.kw;
  for (int64_t block = 0, first = 0; block < outputs.blocks; first += outputs[block++]) {
    const int64_t count = outputs[block];
    for (int64_t o = 0; o < count; ++o) {
      T* to = packed + first * d.c * taps + o;
      for (int64_t c = 0; c < d.c; ++c) {
        const T* from = w + (first + o) * o_stride + c * c_stride;
        for (int64_t t = 0; t < taps; ++t, to += count) *to = from[reverse ? taps - 1 - t : t];
      }
    }
  }
}

template <class T>
void forward_images(const T* x, const T* packed, const T* bias, T* y, const Conv2dDims& d, T* scratch) {
  const Conv2dDirectLayout l = Conv2dDirectLayout::of(d);
  const int64_t oh = d.oh(), ow = d.ow(), taps = d.kh * d.kw;
  const Split outputs(d.o, kForwardOutputs);
  const Split vectors((oh * l.row + kLanes<T> - 1) / kLanes<T>, kForwardVectors);
  T* const in = scratch;
  T* const out = in + d.c * l.in_plane;
  set_zero(in, d.c * l.in_plane);  // once: every image writes the same interior
  for (int64_t n = 0; n < d.n; ++n) {
    for (int64_t c = 0; c < d.c; ++c, x += d.h * d.w) {
      copy_rows(in + c * l.in_plane + d.pad_h * l.row + d.pad_w, l.row, x, d.w, d.h, d.w);
    }
    for (int64_t block = 0, o = 0; block < outputs.blocks; o += outputs[block++]) {
      const int64_t count = outputs[block];
      ForwardArgs<T> args{in,
                          packed + o * d.c * taps,
                          bias ? bias + o : nullptr,
                          out,
                          d.c,
                          d.kh,
                          d.kw,
                          l.row,
                          l.in_plane,
                          l.out_plane,
                          vectors.larger};
      if (args.blocks) {
        pick<ForwardBlocks<T>, kForwardVectors, kForwardOutputs>(vectors.size + 1, count)(args);
        args.in += args.blocks * (vectors.size + 1) * kLanes<T>;
        args.out += args.blocks * (vectors.size + 1) * kLanes<T>;
      }
      args.blocks = vectors.blocks - vectors.larger;
      pick<ForwardBlocks<T>, kForwardVectors, kForwardOutputs>(vectors.size, count)(args);
      for (int64_t i = 0; i < count; ++i, y += oh * ow) {
        copy_rows(y, ow, out + i * l.out_plane, l.row, oh, ow);
      }
    }
  }
}

template <class T>
void conv2d_pack(const T* w, T* packed, const Conv2dDims& d) {
  pack(w, packed, d, d.c * d.kh * d.kw, d.kh * d.kw, false);
}

template <class T>
void conv2d_forward(const T* x, const T* w, const T* bias, T* y, const Conv2dDims& d, T* workspace) {
  T* const packed = align(workspace);
  conv2d_pack(w, packed, d);
  forward_images(x, packed, bias, y, d, packed + Conv2dDirectLayout::of(d).packed);
}

template <class T>
void conv2d_backward_input(const T* dy, const T* w, T* dx, const Conv2dDims& d, T* workspace) {
  const Conv2dDims t = d.transposed();
  T* const packed = align(workspace);
  pack(w, packed, t, d.kh * d.kw, d.c * d.kh * d.kw, true);
  forward_images<T>(dy, packed, nullptr, dx, t, packed + Conv2dDirectLayout::of(t).packed);
}

// ---- backward_weight

template <class T>
struct WeightArgs {
  const T* x;   // padded planes of a group of images
  const T* dy;  // planes with the same row pitch, zero in the columns that no output owns
  int64_t images, x_image, dy_image, dy_plane, vectors;
  int64_t offset[kWeightTaps];  // of each tap in the x of an image
  T sum[kWeightOutputs * kWeightTaps];
};

template <class T, int Outputs, int Taps>
[[gnu::noinline]] void weight_block(WeightArgs<T>& a) {
  Simd<T> acc[Outputs][Taps];
  CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
    CBNET_UNROLL for (int t = 0; t < Taps; ++t) acc[o][t] = Simd<T>{};
  }
  for (int64_t n = 0; n < a.images; ++n) {
    const T* dy[Outputs];
    const T* x[Taps];
    CBNET_UNROLL for (int o = 0; o < Outputs; ++o) dy[o] = a.dy + n * a.dy_image + o * a.dy_plane;
    CBNET_UNROLL for (int t = 0; t < Taps; ++t) x[t] = a.x + n * a.x_image + a.offset[t];
    for (int64_t q = 0; q < a.vectors * kLanes<T>; q += kLanes<T>) {
      Simd<T> xv[Taps];
      CBNET_UNROLL for (int t = 0; t < Taps; ++t) xv[t] = load(x[t] + q);
      CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
        const Simd<T> dv = load(dy[o] + q);
        CBNET_UNROLL for (int t = 0; t < Taps; ++t) acc[o][t] += dv * xv[t];
      }
    }
  }
  CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
    CBNET_UNROLL for (int t = 0; t < Taps; ++t) { a.sum[o * Taps + t] = sum_lanes<T>(acc[o][t]); }
  }
}

template <class T>
struct WeightBlock {
  template <int Outputs, int Taps>
  static constexpr auto at = weight_block<T, Outputs, Taps>;
};

// Sums one tap of one output over the columns that outputs own and no others. Where a sum is not finite the
// vectors cannot tell an honest infinity from 0 * inf in a column that was only passing through.
template <class T>
[[gnu::noinline]] T owned_sum(const WeightArgs<T>& a, int64_t o, int64_t t, int64_t oh, int64_t ow,
                              int64_t row) {
  T sum = 0;
  for (int64_t n = 0; n < a.images; ++n) {
    const T* dy = a.dy + n * a.dy_image + o * a.dy_plane;
    const T* x = a.x + n * a.x_image + a.offset[t];
    for (int64_t i = 0; i < oh; ++i) {
      for (int64_t j = 0; j < ow; ++j) sum += dy[i * row + j] * x[i * row + j];
    }
  }
  return sum;
}

// Takes one block of outputs against every tap of every channel, for the images in scratch.
template <class T>
void add_weight_sums(WeightArgs<T>& a, T* dw, int64_t outputs, const Conv2dDims& d,
                     const Conv2dDirectLayout& l) {
  const int64_t all_taps = d.c * d.kh * d.kw;
  const Split taps(all_taps, kWeightTaps);
  int64_t c = 0, ky = 0, kx = 0;
  for (int64_t block = 0; block < taps.blocks; ++block) {
    const int64_t count = taps[block];
    for (int64_t t = 0; t < count; ++t) {
      a.offset[t] = c * l.in_plane + ky * l.row + kx;
      if (++kx == d.kw) kx = 0, ++ky;
      if (ky == d.kh) ky = 0, ++c;
    }
    pick<WeightBlock<T>, kWeightOutputs, kWeightTaps>(outputs, count)(a);
    for (int64_t o = 0; o < outputs; ++o) {
      for (int64_t t = 0; t < count; ++t) {
        T sum = a.sum[o * count + t];
        if (!(sum - sum == 0)) sum = owned_sum(a, o, t, d.oh(), d.ow(), l.row);
        dw[o * all_taps + t] += sum;
      }
    }
    dw += count;
  }
}

template <class T>
void conv2d_backward_weight(const T* x, const T* dy, T* dw, const Conv2dDims& d, T* workspace) {
  const Conv2dDirectLayout l = Conv2dDirectLayout::of(d);
  const int64_t oh = d.oh(), ow = d.ow();
  const int64_t x_image = d.c * l.in_plane, dy_image = d.o * l.out_plane;
  T* const xs = align(workspace);
  T* const dys = xs + l.group * x_image;
  set_zero(xs, l.group * (x_image + dy_image));
  const Split outputs(d.o, kWeightOutputs);
  for (int64_t n = 0; n < d.n; n += l.group) {
    const int64_t images = d.n - n < l.group ? d.n - n : l.group;
    for (int64_t i = 0; i < images * d.c; ++i, x += d.h * d.w) {
      copy_rows(xs + i * l.in_plane + d.pad_h * l.row + d.pad_w, l.row, x, d.w, d.h, d.w);
    }
    for (int64_t i = 0; i < images * d.o; ++i, dy += oh * ow) {
      copy_rows(dys + i * l.out_plane, l.row, dy, ow, oh, ow);
    }
    WeightArgs<T> args{};
    args.x = xs;
    args.dy = dys;
    args.images = images;
    args.x_image = x_image;
    args.dy_image = dy_image;
    args.dy_plane = l.out_plane;
    args.vectors = (oh * l.row + kLanes<T> - 1) / kLanes<T>;
    for (int64_t block = 0, o = 0; block < outputs.blocks; o += outputs[block++]) {
      args.dy = dys + o * l.out_plane;
      add_weight_sums(args, dw + o * d.c * d.kh * d.kw, outputs[block], d, l);
    }
  }
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
