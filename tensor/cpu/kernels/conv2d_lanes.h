#pragma once

#include "tensor/cpu/kernels/conv2d_direct.h"

// These are the convolutions of conv2d_direct.h over a batch, the images side by side in the lanes of a
// vector: no lane is idle whatever the sizes of image and kernel, and a tap that meets padding is left out,
// not multiplied by zero (of LeNet's three convolutions, a third of all products). In return a batch is
// transposed on its way in and out, and one of fewer images than lanes wastes the rest. `conv2d` and
// `conv2d_backward` in tensor/reference/products.cpp define what they compute.
//
// conv2d_lanes_forward  : y, as conv2d_forward
// conv2d_lanes_backward : dx, as conv2d_backward_input; dw +=, as conv2d_backward_weight;
//                         dbias[o] += sum_{n,i,j} dy[n,o,i,j]. Each may be null.
//
// Shapes, needs, threads and the order of summation are as in conv2d_direct.h. A caller's ranges of images
// are best multiples of the table's `lanes`.
// NaN/Inf: a non-finite weight or dy meets no padding; otherwise as the formula says.

namespace cbnet::kernels {

// The backward pass reads and writes these; each gradient may be null.
template <class T>
struct LanesBackward {
  const T *x, *w, *dy;
  T *dx, *dw;
  double* dbias;
};

// Returns how many elements of T the workspace of either pass must hold, for any ISA and alignment.
[[gnu::always_inline]] constexpr size_t conv2d_lanes_workspace(const Conv2dDims& d) {
  constexpr int64_t kMaxLanes = 16;
  return static_cast<size_t>(kMaxLanes * (2 * d.c * d.h * d.w + d.o * d.oh() * d.ow() + 1) +
                             Conv2dDirectLayout::round_up(d.o * d.c * d.kh * d.kw));
}

}  // namespace cbnet::kernels
