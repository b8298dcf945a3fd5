#pragma once

#include "tensor/cpu/kernels/conv2d_direct.h"

// This is convolution with kernels of one pixel, stride 1 and no padding, forward and backward to the input:
// a product of matrices where the images lie, without a copy of them. `conv2d` and `conv2d_backward` in
// tensor/reference/products.cpp define what it computes:
//
//   y[n,o,q] = bias[o] + sum_c w[o * o_step + c * c_step] * x[n,c,q]      bias may be null
//
// A vector is pixels of one plane; its last one ends where the plane ends, and overlaps the one before:
//
//   plane of 49 pixels, 16 lanes   | 0 … 15 | 16 … 31 | 32 … 47 |
//                                                       | 33 … 48 |   comes out the same twice
//
// Needs  : plane >= lanes (unchecked). Threads and the order of summation are as in conv2d_direct.h.

namespace cbnet::kernels {

struct Conv1x1 {
  int64_t n, c, o, plane;
  int64_t o_step, c_step;  // in the weights
};

// Returns how many elements of T the workspace must hold, for any ISA and alignment.
[[gnu::always_inline]] constexpr size_t conv2d_1x1_workspace(const Conv1x1& d) {
  return static_cast<size_t>(d.c * d.o + Conv2dDirectLayout::kAlign);
}

}  // namespace cbnet::kernels
