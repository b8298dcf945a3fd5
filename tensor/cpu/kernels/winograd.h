#pragma once

#include "tensor/cpu/kernels/fused_conv2d.h"

// This header is for convolution and 2x2 max-pooling with fewer multiplications: pairs of neighbouring
// results along a row are made from k + 1 products instead of 2 k (minimal filtering F(2,k): Winograd,
// "Arithmetic complexity of computations", 1980; Lavin and Gray, "Fast algorithms for convolutional neural
// networks", 2016), for k of 3 and 5. `conv2d` in tensor/reference/products.cpp, `pool2d` in
// tensor/reference/pool2d.cpp and `relu` in tensor/pointwise.def define, one after the other, what it
// computes.
//
// Plainly, of the k + 1 pixels d under a pair and one row g of the kernel:
//
//   pair[0] = sum_i g[i] d[i],  pair[1] = sum_i g[i] d[i + 1]
//
// Here, one point p a product:  pair = A' [ (G g) * (B' d) ], summed over channels and rows of the kernel
// before A' is taken.
//
//   k = 3, points 0, 1, -1, inf      k = 5, points 0, 1, -1, 2, -2, inf
//
//   B' =  1  0 -1  0                 B' =  4  0 -5  0  1  0     A' =  1  1  1  1  1  0
//         0  1  1  0                       0 -4 -4  1  1  0           0  1 -1  2 -2  1
//         0 -1  1  0                       0  4 -4 -1  1  0
//         0 -1  0  1                       0 -2 -1  2  1  0
//                                          0  2 -1 -2  1  0
//   A' =  1  1  1  0                       0  4  0 -5  0  1
//         0  1 -1  1
//
// G g holds the polynomial with the coefficients g at each point, over a constant of the point, and at
// infinity g[k - 1] (runtime/steps/conv.cpp).
//
// B' d is made once per row of pixels, G g when the plan is made. For one point the sums are a convolution
// with a kernel one wide, so fused_conv2d.h's loops do them. The two results of a pair are the two columns of
// a pooling window.
//
// Accuracy: rounding is that of a few more additions of terms up to 5 (k = 3: 2) times as large.
//
// Scratch, cut in this order, and where each part goes next:
//
//   columns       one plane's pixels of even column, then those of odd      -> B' d
//   transformed   (point, c, in_plane): planes of B' d, rows of `pairs`     -> products, by fused_conv2d.h
//   products      (point, output, 4 vectors): one block's sums              -> A', the larger of each pair
//   pooled        (output, scratch_plane): rows of `pairs`, not yet pooled downwards   -> out

namespace cbnet::kernels {

/// Every call of one convolution shares these; see Conv.
struct Winograd {
  std::int64_t h = 0, w = 0;  // of x
  std::int64_t in_row = 0, in_plane = 0, in_first = 0;
  std::int64_t k = 0, padding = 0;  // of the kernel, k x k
  std::int64_t points = 0;          // k + 1
  std::int64_t pairs = 0;           // of a row of results: of the pooled row too
  /// One point's convolution: rows of `pairs`, kernel k x 1, planes of B' d (c, in_plane) with `padding` zero
  /// rows above and below. Its `packed` is (block of outputs, point, c, k, output).
  Conv sums;
  const float* last =
      nullptr;  // OW odd: per pair of a plane 0, or -inf where the second of a pair is no result
};

/// Returns how many columns of even number a row of pixels and the zeros at its left come to; of odd number
/// there are as many.
[[gnu::always_inline]] constexpr std::int64_t winograd_columns(const Winograd& a) {
  return (a.w + 1) / 2 + (a.padding + 1) / 2 + a.k / 2;
}

/// Returns the elements of scratch that those of a whole plane take, in whole cache lines like all that is
/// cut from it.
[[gnu::always_inline]] constexpr std::int64_t winograd_split(const Winograd& a) {
  return (2 * (a.h * winograd_columns(a) + 2 * kSlack) + 15) / 16 * 16;
}

/// Returns the elements of scratch. The planes of `sums` are whole cache lines.
[[gnu::always_inline]] constexpr std::int64_t winograd_scratch(const Winograd& a, std::int64_t lanes) {
  const std::int64_t transformed = a.points * a.sums.c * a.sums.in_plane;
  const std::int64_t products = a.points * a.sums.outputs * 4 * lanes;
  return winograd_split(a) + transformed + products + a.sums.outputs * a.sums.scratch_plane + 4 * kSlack;
}

}  // namespace cbnet::kernels
