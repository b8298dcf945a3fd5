#pragma once

#include <cstddef>
#include <cstdint>

// Convolution (cross-correlation, stride 1, dilation 1, groups 1) of one image, with bias, and, as the
// results leave the cache, max-pooling and ReLU. f32.
//
// y[o,i,j] = bias[o] + sum_{c,ky,kx} w[o,c,ky,kx] * x[c, i + ky - pad_h, j + kx - pad_w]
//
// Layout: a plane of x holds its rows `row` = W + padding elements apart, zeros above, below and on the left:
// the zeros on the left of the next row serve as those on the right. Pixel (i, j) under tap (ky, kx) is then
// element q + ky * row + kx with q = i * row + j, so vectors run over q straight across row ends; the
// elements between OW and `row` are computed and dropped. The kernel writes its result where the next one
// reads it, zeros on the left and all.
//
// What is skipped: taps (ky) that lie in the zeros above or below for a whole block of q. `blocks` says
// which.

namespace cbnet::kernels {

/// A run of q whose sums are held in registers at once.
struct ConvBlock {
  std::int32_t q = 0;
  std::int32_t vectors = 0;
  std::int32_t ky_begin = 0, ky_end = 0;
};

/// What every call of one convolution shares. Pointers are into the plan; nothing here changes once it is
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

/// Elements that a kernel may read or write beyond the last plane of a buffer (zeros where it writes).
inline constexpr std::int64_t kSlack = 32;

/// Channels that a block may have.
inline constexpr std::int64_t kConvOutputs[] = {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20};

struct ConvTable {
  std::int64_t lanes;  // of a vector
  /// vectors * channels of a block may be at most this; vectors at most 4, channels one of kConvOutputs.
  std::int64_t accumulators;
  /// in: planes as above. scratch: `outputs` planes of scratch_plane elements, and kSlack. out: written from
  /// out_first on, plane by plane, row by row; up to kSlack zeros follow each row.
  void (*run)(const Conv& conv, const float* in, float* scratch, float* out);
  /// The same by way of winograd.h: in dense, scratch of winograd_scratch elements.
  void (*run_winograd)(const Winograd& conv, const float* in, float* scratch, float* out);
  /// h rows of w pixels 0 to 255 -> the same divided by 255, at to + i * row.
  void (*pixels)(const std::uint8_t* from, float* to, std::int64_t h, std::int64_t w, std::int64_t row);
};

}  // namespace cbnet::kernels
