#pragma once

#include <cstddef>
#include <cstdint>

// This header is for the convolution (cross-correlation, stride 1, dilation 1, groups 1) of one image, with
// bias, and, as the results leave the cache, max-pooling and ReLU, in f32. `conv2d` in
// tensor/reference/products.cpp, `pool2d` in tensor/reference/pool2d.cpp and `relu` in tensor/pointwise.def
// define, one after the other, what it computes.
//
// y[o,i,j] = bias[o] + sum_{c,ky,kx} w[o,c,ky,kx] * x[c, i + ky - pad_h, j + kx - pad_w]
//
// Layout: a plane of x holds its rows `row` = W + padding elements apart, zeros above, below and on the left:
// the zeros on the left of the next row serve as those on the right. A 4 x 4 plane, padding 1, kernel 3,
// pooled for a reader whose padding is 1 too:
//
//   in, row = 5       scratch, the same row    out, out_row = 3
//   0 0 0 0 0         s s s s -                0 0 0
//   0 x x x x   sums  s s s s -   2x2, ReLU    0 y y    from its first y on the kernel writes row by row,
//   0 x x x x   -->   s s s s -   -------->    0 y y    with zeros behind each row
//   0 x x x x         s s s s -                0 0 0
//   0 x x x x
//   0 0 0 0 0
//
// Pixel (i, j) under tap (ky, kx) is element q + ky * row + kx with q = i * row + j, so vectors run over q
// straight across row ends; the elements between OW and `row` are computed and dropped.
//
// Taps (ky) are skipped that lie in the zeros above or below for a whole block of q; `blocks` says which.

namespace cbnet::kernels {

/// A block is a run of q whose sums are held in registers at once.
struct ConvBlock {
  std::int32_t q = 0;
  std::int32_t vectors = 0;
  std::int32_t ky_begin = 0, ky_end = 0;
};

/// Every call of one convolution shares these. Pointers are into the plan; nothing here changes once it is
/// made.
struct Conv {
  std::int64_t c = 0, o = 0, kh = 0, kw = 0;
  std::int64_t oh = 0, ow = 0;  // of the convolution, before pooling
  std::int64_t row = 0, in_plane = 0;
  std::int64_t in_first = 0;       // the element that output (0, 0) meets under tap (0, 0)
  std::int64_t scratch_plane = 0;  // OH rows, rounded up to whole vectors
  std::int64_t outputs = 0;        // channels whose sums are made at once; the last block may have fewer
  const ConvBlock* blocks = nullptr;
  std::int64_t block_count = 0;
  const float* packed = nullptr;  // (block of outputs, c, kh, kw, output)
  const float* bias = nullptr;    // (o)
  bool pool = false;              // 2x2 windows, stride 2, clipped at the right and lower edge
  bool relu = false;
  std::int64_t ph = 0, pw = 0;  // of the result
  std::int64_t out_row = 0, out_plane = 0;
  std::int64_t out_first = 0;  // where result (0, 0) of plane 0 goes
};

struct Winograd;

/// A kernel may read or write so many elements beyond the last plane of a buffer (zeros where it writes).
inline constexpr std::int64_t kSlack = 32;

/// A block may have so many channels.
inline constexpr std::int64_t kConvOutputs[] = {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20};

struct ConvTable {
  std::int64_t lanes;  // of a vector
  /// vectors * channels of a block may be at most this; vectors at most 4, channels one of kConvOutputs.
  std::int64_t accumulators;
  /// `in` holds planes as above, `scratch` `outputs` planes of scratch_plane elements, and kSlack. `out` is
  /// written from out_first on, plane by plane, row by row; up to kSlack zeros follow each row.
  void (*run)(const Conv& conv, const float* in, float* scratch, float* out);
  /// Does the same by way of winograd.h: `scratch` has winograd_scratch elements.
  void (*run_winograd)(const Winograd& conv, const float* in, float* scratch, float* out);
  /// Divides h rows of w pixels 0 to 255 by 255; row i goes to `to` + i * row.
  void (*pixels)(const std::uint8_t* from, float* to, std::int64_t h, std::int64_t w, std::int64_t row);
};

}  // namespace cbnet::kernels
