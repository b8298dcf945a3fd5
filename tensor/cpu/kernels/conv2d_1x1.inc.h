#pragma once
// This is the body of conv2d_1x1.h. A block is kForwardVectors vectors of pixels, of one image or of several,
// by kForwardOutputs outputs; the workspace holds the weights, (block of outputs, c, output of the block).

#include "tensor/cpu/kernels/blocks.inc.h"
#include "tensor/cpu/kernels/conv2d_1x1.h"
#include "tensor/cpu/kernels/simd.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// The elements of x and y where the vectors of a block begin, of the first channel and the first output.
template <class T>
struct PixelVectors {
  const T* x[kForwardVectors];
  T* y[kForwardVectors];
};

template <class T, int Vectors, int Outputs>
[[gnu::noinline]] void pixel_block(const Conv1x1& d, const PixelVectors<T>& at, int64_t first, const T* w,
                                   const T* bias) {
  const T* x[Vectors];
  CBNET_UNROLL for (int v = 0; v < Vectors; ++v) x[v] = at.x[v];
  Simd<T> acc[Outputs][Vectors];
  CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
    const Simd<T> start = (bias ? bias[first + o] : T(0)) - Simd<T>{};
    CBNET_UNROLL for (int v = 0; v < Vectors; ++v) acc[o][v] = start;
  }
  for (int64_t c = 0; c < d.c; ++c, w += Outputs) {
    Simd<T> pixels[Vectors];
    CBNET_UNROLL for (int v = 0; v < Vectors; ++v) pixels[v] = load(x[v] + c * d.plane);
    CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
      const Simd<T> weight = broadcast(w[o]);
      CBNET_UNROLL for (int v = 0; v < Vectors; ++v) acc[o][v] += weight * pixels[v];
    }
  }
  CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
    CBNET_UNROLL for (int v = 0; v < Vectors; ++v) store(at.y[v] + (first + o) * d.plane, acc[o][v]);
  }
}

template <class T>
struct PixelBlock {
  template <int Vectors, int Outputs>
  static constexpr auto at = pixel_block<T, Vectors, Outputs>;
};

template <class T>
void conv2d_1x1(const T* x, const T* w, const T* bias, T* y, const Conv1x1& d, T* workspace) {
  constexpr int64_t L = kLanes<T>;
  T* const packed = align(workspace);
  const Split outputs(d.o, kForwardOutputs);
  T* to = packed;
  for (int64_t block = 0; block < outputs.blocks; ++block) {
    for (int64_t c = 0; c < d.c; ++c) {
      for (int64_t o = 0; o < outputs[block]; ++o)
        *to++ = w[(outputs.first(block) + o) * d.o_step + c * d.c_step];
    }
  }
  const int64_t of_plane = (d.plane + L - 1) / L;
  const Split vectors(d.n * of_plane, kForwardVectors);
  int64_t image = 0, pixel = 0;
  for (int64_t b = 0; b < vectors.blocks; ++b) {
    PixelVectors<T> at;
    for (int64_t v = 0; v < vectors[b]; ++v) {
      const int64_t q = pixel + L <= d.plane ? pixel : d.plane - L;
      at.x[v] = x + image * d.c * d.plane + q;
      at.y[v] = y + image * d.o * d.plane + q;
      if ((pixel += L) >= d.plane) pixel = 0, ++image;
    }
    for (int64_t block = 0; block < outputs.blocks; ++block) {
      const int64_t first = outputs.first(block);
      pick<PixelBlock<T>, kForwardVectors, kForwardOutputs>(vectors[b], outputs[block])(
          d, at, first, packed + first * d.c, bias);
    }
  }
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
