#pragma once

#include "tensor/cpu/kernels/conv2d_direct.h"

// These are the convolutions of conv2d_direct.h over a batch, of any stride, dilation and number of groups,
// the images side by side in the lanes of a vector: no lane is idle whatever the sizes of image and kernel,
// and a tap that meets padding is left out, not multiplied by zero (of LeNet's three convolutions, a third of
// all products). In return a batch is transposed on its way in and out, and one of fewer images than lanes
// wastes the rest. `conv2d` and `conv2d_backward` in tensor/reference/products.cpp define what they compute.
//
// conv2d_lanes_forward  : y, as conv2d_forward
// conv2d_lanes_backward : dx, as conv2d_backward_input; dw +=, as conv2d_backward_weight;
//                         dbias[o] += sum_{n,i,j} dy[n,o,i,j]. Each may be null.
//
// Shapes, threads and the order of summation are as in conv2d_direct.h; sizes and options need only give
// OH >= 1 and OW >= 1. A caller's ranges of images are best multiples of the table's `lanes`.
// NaN/Inf: a non-finite weight or dy meets no padding; otherwise as the formula says.

namespace cbnet::kernels {

// The backward pass reads and writes these; each gradient may be null.
template <class T>
struct LanesBackward {
  const T *x, *w, *dy;
  T *dx, *dw;
  double* dbias;
};

// Sizes of what is in lanes at once, in vectors.
struct Conv2dLanesLayout {
  static constexpr int64_t kMaxLanes = 16;
  static constexpr int64_t kVectors = 4096;  // 256 KB of the widest, of a second-level cache's 1 to 2 MB

  int64_t x, y;    // of a group of channels
  int64_t groups;  // of channels: of images with few channels in a group, many are transposed at once
  int64_t sets;    // of images whose sums for dw stay in registers before lanes are added up
  int64_t packed;  // elements: the weights of a group of channels

  [[gnu::always_inline]] static constexpr int64_t at_most(int64_t vectors, int64_t most) {
    const int64_t count = kVectors / vectors < most ? kVectors / vectors : most;
    return count < 1 ? 1 : count;
  }
  [[gnu::always_inline]] static constexpr Conv2dLanesLayout of(const Conv2dDims& d) {
    Conv2dLanesLayout l{};
    l.x = d.c / d.groups * d.h * d.w;
    l.y = d.o / d.groups * d.oh() * d.ow();
    l.groups = at_most(2 * l.x + l.y, d.groups);
    l.sets = at_most(l.groups * (l.x + l.y), 8);
    l.packed = Conv2dDirectLayout::round_up(d.o / d.groups * (d.c / d.groups) * d.kh * d.kw);
    return l;
  }
};

// Returns how many elements of T the workspace of either pass must hold, for any ISA and alignment.
[[gnu::always_inline]] constexpr size_t conv2d_lanes_workspace(const Conv2dDims& d) {
  const auto l = Conv2dLanesLayout::of(d);
  const int64_t runs = d.w > d.ow() ? d.w : d.ow();  // 64 bytes each
  const int64_t vectors = l.groups * (l.sets * (l.x + l.y) + l.x) + runs + 1;
  return static_cast<size_t>(Conv2dLanesLayout::kMaxLanes * vectors + l.groups * l.packed);
}

}  // namespace cbnet::kernels
