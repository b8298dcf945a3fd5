#pragma once

#include <cstdint>

// These kernels do layers of one image of bytes whose channels lie side by side, as channels.h draws them. A
// byte q stands for the real number scale * (q - zero_point); borders hold the zero point, which is a real
// zero. Sums of products of bytes are exact 32-bit integers, the same on every ISA. The answers are the bytes
// nearest to those of conv2d, pool2d and add in tensor/reference for the numbers that the bytes stand for.

namespace cbnet::kernels {

/// What follows a channel's sum makes its result, in f32, of the sum and of the byte that is added:
///
///   y = clamp(scale[o] * sum + offset[o] + add_scale * add[p, o])      rounded to nearest where it is a byte
struct ByteFinish {
  const float* scale = nullptr;   // (vectors * lanes)
  const float* offset = nullptr;  // likewise: bias, and what the zero points are worth
  float add_scale = 0.0F;
  float low = 0.0F, high = 0.0F;  // within 0 … 255 where the result is a byte
  bool to_f32 = false;            // the result is f32
};

/// This is a convolution. Its windows are runs as in ChannelsConv, each cut into K-blocks of four elements:
/// what the last one reads behind its run meets weights of zero.
struct ByteConv {
  std::int64_t pixels = 0;
  const std::int32_t* in_offsets = nullptr;   // (pixels): the first element of each window
  const std::int32_t* out_offsets = nullptr;  // (pixels)
  const std::int32_t* add_offsets = nullptr;  // (pixels), or null
  std::int64_t runs = 0, k_blocks = 0;        // k_blocks: of a run
  const std::int32_t* run_offsets = nullptr;  // (runs)
  std::int64_t vectors = 0;                   // of output channels
  std::int64_t block_vectors = 0, block_pixels = 0;
  const std::int32_t* first_inputs = nullptr;  // by block of vectors
  const std::int8_t* packed = nullptr;  // (block of vectors, run, K-block, channel of the block, element)
  ByteFinish finish;
};

/// This is a depthwise convolution. The rows of the input that a row of results reads are interleaved by
/// fours, so that a K-block is four taps of a channel, one below the other:
///
///   row 0  | a b c …     interleaved   | a d g j | b e h k | c f i l | …
///   row 1  | d e f …
///   row 2  | g h i …     rows beyond the window's meet weights of zero
///   row 3  | j k l …
struct ByteDepthwise {
  std::int64_t rows = 0, columns = 0;         // results
  std::int64_t fours = 0;                     // of rows of the window
  const std::int32_t* row_offsets = nullptr;  // (rows, fours, 4): the first element of each row that is read
  std::int64_t row = 0;                       // elements of it
  const std::int32_t* in_offsets = nullptr;   // (columns): the first element of a window in its row
  const std::int32_t* out_offsets = nullptr;  // (rows * columns)
  std::int64_t taps = 0;                      // K-blocks of a window
  const std::int32_t* tap_offsets = nullptr;  // (taps): bytes in what is interleaved
  std::int64_t vectors = 0;                   // of channels
  const std::int8_t* packed = nullptr;        // (vector, tap, lane, element)
  ByteFinish finish;
};

/// These taps of one window of a pool lie inside the image.
struct ByteWindow {
  std::int32_t in = 0, out = 0;  // the first element of its first tap, and of its result
  std::int32_t rows = 0, cols = 0;
  float scale = 0.0F, offset = 0.0F;  // of an average: the result is scale * sum + offset
};

struct BytePool {
  std::int64_t pixels = 0;
  const ByteWindow* windows = nullptr;  // (pixels)
  std::int64_t row_step = 0, col_step = 0;
  std::int64_t channels = 0;  // a multiple of 16
  bool average = false;
  float low = 0.0F, high = 0.0F;
};

/// This is a sum of two values, number by number: clamp(a_scale * a + b_scale * b + offset).
struct ByteSum {
  std::int64_t count = 0;  // a multiple of 16
  float a_scale = 0.0F, b_scale = 0.0F, offset = 0.0F;
  float low = 0.0F, high = 0.0F;
};

struct ByteTable {
  /// What the four products of a lane cost beside an FMA of channels.h.
  double relative_cost;
  /// Blocks are as large as those of channels.h.
  void (*conv)(const ByteConv& conv, const std::uint8_t* in, const std::uint8_t* add, void* out);
  /// scratch: fours * round_up(4 * row, 256) bytes.
  void (*depthwise)(const ByteDepthwise& conv, const std::uint8_t* in, std::uint8_t* scratch, void* out);
  void (*pool)(const BytePool& pool, const std::uint8_t* in, std::uint8_t* out);
  void (*sum)(const ByteSum& sum, const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* out);
};

/// Kernels may read so many bytes behind an image.
inline constexpr std::int64_t kByteSlack = 64;

}  // namespace cbnet::kernels
