#pragma once

#include <cstdint>

// These kernels do layers of one image whose channels lie side by side (NHWC), so that a vector is a run of
// channels and any kernel size, stride and dilation is only another list of offsets. f32.
//
//   pixel (i, j) of an image of 3 x 4 pixels with a border of 1, C = 3 channels, a pitch of 4 elements:
//
//     0000 0000 0000 0000 0000 0000
//     0000 abc. abc. abc. abc. 0000     borders are zeros, '.' is anything: no result depends on it
//     0000 abc. abc. abc. abc. 0000
//     0000 abc. abc. abc. abc. 0000
//     0000 0000 0000 0000 0000 0000
//
// The answers are those of conv2d, pool2d and the pointwise functions in tensor/reference.

namespace cbnet::kernels {

/// This is a convolution (cross-correlation) with bias, an addend and bounds on the result behind it:
///
///   y[p, o] = clamp(bias[o] + add[p, o] + sum_k x[in_offsets[p] + k-th offset] * w[k, o])
///
/// A window is `runs` runs of `run` elements that lie side by side in x: run r begins run_offsets[r] elements
/// behind the window's first one. All offsets are in elements.
struct ChannelsConv {
  std::int64_t pixels = 0;                    // results, in row-major order
  const std::int32_t* in_offsets = nullptr;   // (pixels): the first element of each window
  const std::int32_t* out_offsets = nullptr;  // (pixels)
  const std::int32_t* add_offsets = nullptr;  // (pixels), or null: nothing is added
  std::int64_t runs = 0, run = 0;
  const std::int32_t* run_offsets = nullptr;   // (runs)
  std::int64_t vectors = 0;                    // of output channels
  std::int64_t block_vectors = 0;              // of them whose sums are made at once, at most
  std::int64_t block_pixels = 0;               // pixels likewise
  const std::int32_t* first_inputs = nullptr;  // by block of vectors: its first input channel
  const float* packed = nullptr;  // (block of vectors, run, element of the run, channel of the block)
  const float* bias = nullptr;    // (vectors * lanes)
  float low = 0.0F, high = 0.0F;  // of the result; NaN stays NaN
};

/// This is a 3x3 convolution of stride 1 by Winograd's F(2x2, 3x3), which makes 2x2 results of 4x4 pixels
/// with 16 multiplications where the sum has 36:
///
///   d, a tile of 4x4 -> B'dB, each of its 16 numbers times a matrix of weights -> m, 4x4 -> A'mA, 2x2
///
///        1  0 -1  0          1  0          1    0    0
///   B' = 0  1  1  0     A =  1  1     G = 1/2  1/2  1/2     of weights g the matrices have G g G'
///        0 -1  1  0          1 -1         1/2 -1/2  1/2
///        0  1  0 -1          0 -1          0    0    1
///
/// Sums of pixels may be infinite where the pixels are not: beyond 1e38 the answer is not conv2d's.
/// Tiles overlap by two pixels. One that reaches over the lower or right edge reads the last row or column
/// again, which only results that nobody stores depend on.
struct ChannelsWinograd {
  std::int64_t tiles = 0, tile_columns = 0;
  std::int64_t tiles_at_once = 0;      // whose 16 numbers a channel lie in the scratch
  const std::int32_t* rows = nullptr;  // (rows of tiles, 4): the element at which each row of pixels begins
  const std::int32_t* columns = nullptr;      // (columns of tiles, 4): and each column in it
  std::int64_t in_vectors = 0;                // of channels
  std::int64_t oh = 0, ow = 0;                // results
  const std::int32_t* out_offsets = nullptr;  // (oh * ow)
  const std::int32_t* add_offsets = nullptr;  // (oh * ow), or null
  const float* bias = nullptr;                // (product.vectors * lanes)
  float low = 0.0F, high = 0.0F;
  ChannelsConv product;           // of the numbers of one point; packed: that of point 0
  std::int64_t packed_point = 0;  // from one point's weights to the next
};

/// This is a depthwise convolution, which makes one channel of the result for each of the input:
///
///   y[p, c] = clamp(bias[c] + sum_t x[in_offsets[p] + tap_offsets[t] + c] * w[t, c])
struct ChannelsDepthwise {
  std::int64_t pixels = 0;
  const std::int32_t* in_offsets = nullptr;   // (pixels)
  const std::int32_t* out_offsets = nullptr;  // (pixels)
  std::int64_t taps = 0;
  const std::int32_t* tap_offsets = nullptr;  // (taps)
  std::int64_t vectors = 0;                   // of channels
  const float* packed = nullptr;              // (vector, tap, lane)
  const float* bias = nullptr;                // (vectors * lanes)
  float low = 0.0F, high = 0.0F;
};

/// These taps of one window of a pool lie inside the image: rows x cols pixels.
struct ChannelsWindow {
  std::int32_t in = 0, out = 0;  // the first element of its first tap, and of its result
  std::int32_t rows = 0, cols = 0;
  float scale = 1.0F;  // of an average: one over what it divides by
};

struct ChannelsPool {
  std::int64_t pixels = 0;
  const ChannelsWindow* windows = nullptr;  // (pixels)
  std::int64_t row_step = 0, col_step = 0;  // elements from one tap to the next
  std::int64_t vectors = 0;                 // of channels
  bool average = false;
  float low = 0.0F, high = 0.0F;
};

struct ChannelsTable {
  /// A block of P pixels by V vectors needs P * V + V + 1 of these; P and V are at most the numbers below.
  std::int64_t registers;
  /// What an FMA costs here beside one of fused_conv2d.h: without vectors, compilers make some of their own
  /// there.
  double relative_cost;
  void (*conv)(const ChannelsConv& conv, const float* in, const float* add, float* out);
  /// scratch: 16 * tiles_at_once * (in_vectors + product.vectors) vectors.
  void (*winograd)(const ChannelsWinograd& conv, const float* in, const float* add, float* scratch,
                   float* out);
  void (*depthwise)(const ChannelsDepthwise& conv, const float* in, float* out);
  void (*pool)(const ChannelsPool& pool, const float* in, float* out);
};

inline constexpr std::int64_t kChannelsPixels = 14, kChannelsVectors = 4;

}  // namespace cbnet::kernels
