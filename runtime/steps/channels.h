#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "runtime/step.h"
#include "tensor/cpu/kernels/split.h"

// What the steps of kernels/channels.h share: where pixels and channels stand, and how channels are cut.

namespace cbnet::runtime {

using kernels::round_up;
using Offsets = std::vector<std::int32_t>;

inline std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// Returns the element at which pixel (i, j) begins; it may lie in the border.
inline std::int32_t pixel_offset(const Layout& layout, std::int64_t i, std::int64_t j) {
  return static_cast<std::int32_t>((layout.first() + i * layout.row() + j) * layout.pitch);
}

/// Returns the offsets of the pixels (first.h + i step.h, first.w + j step.w), i < rows and j < cols, row by
/// row.
Offsets pixel_offsets(const Layout& layout, std::int64_t rows, std::int64_t cols, Pair first = 0,
                      Pair step = 1);

/// Returns the offsets of the windows of a layer.
Offsets window_offsets(const Layout& layout, const Node& node);
/// Returns the offsets of the taps of a window, from its first one.
Offsets tap_offsets(const Layout& layout, const Window2d& window);

/// These taps of one window of a pool lie inside the image: rows x cols from (row, col) on. `scale` is one
/// over what an average divides by, (i, j) its result.
struct PoolWindow {
  std::int64_t i, j, row, col, rows, cols;
  float scale;
};
std::vector<PoolWindow> pool_windows(const Node& node, const Layout& source);

bool is_depthwise(const Node& conv);

/// A convolution's channels are cut into these blocks, each of which reads the channels of its group. The
/// cost is infinite where they cannot be cut so.
struct Blocks {
  std::int64_t pixels = 1, vectors = 1;
  std::int64_t inputs = 0;  // channels that a block reads
  Offsets first_inputs;     // by block
  double cost = std::numeric_limits<double>::infinity();
};

/// A block of pixels by vectors costs this much.
struct BlockCost {
  double taps;        // what is added to every sum
  double finish = 2;  // of a sum
};
/// Returns the blocks of the lowest cost for a convolution of `channels` input channels, in f32 unless a cost
/// is given.
Blocks choose_blocks(const kernels::ChannelsTable& table, std::int64_t lanes, const Node& node,
                     std::int64_t channels, const BlockCost& cost);
Blocks choose_blocks(const kernels::ChannelsTable& table, std::int64_t lanes, const Node& node,
                     std::int64_t channels);

/// A convolution by runs reads and writes at these offsets; a run is a tap of a window or, where nothing lies
/// between two pixels, a row of it.
struct ConvOffsets {
  ConvOffsets() = default;
  ConvOffsets(const Node& conv, const std::vector<Operand>& from, const Layout& target, const Blocks& blocks,
              bool whole_rows);
  /// Fills in what kernels::ChannelsConv and kernels::ByteConv share; this must stay where it is.
  template <class Conv>
  void describe(Conv& conv) const {
    conv.pixels = static_cast<std::int64_t>(out.size());
    conv.runs = static_cast<std::int64_t>(runs.size());
    conv.in_offsets = in.data();
    conv.out_offsets = out.data();
    conv.add_offsets = add.empty() ? nullptr : add.data();
    conv.run_offsets = runs.data();
    conv.first_inputs = first_inputs.data();
  }

  Offsets in, out, add, runs, first_inputs;
};

/// Writes what stands around an image.
template <class T>
void fill_border(const Layout& layout, T* image, T value) {
  if (layout.pad_h == 0 && layout.pad_w == 0) return;
  const std::int64_t row = layout.row() * layout.pitch, side = layout.pad_w * layout.pitch;
  std::fill_n(image, layout.first() * layout.pitch, value);
  T* end = image + (layout.first() + layout.w) * layout.pitch;  // of the first row
  for (std::int64_t i = 0; i < layout.h; ++i, end += row) std::fill_n(end, side, value);
  std::fill_n(end - row + side, layout.pad_h * row, value);
}

/// A step goes image by image, writes the zeros around each, and may read an addend beside its input.
class ChannelsStep : public Step {
 public:
  ChannelsStep(const std::vector<Operand>& from, const Operand& to);
  void run(const Frame& frame) const final;

 protected:
  /// One image goes in and out; `add` is null where there is no addend.
  struct Image {
    const float* in;
    const float* add;
    float* scratch;
    float* out;
  };
  virtual void run_image(const Image& image) const = 0;

  Layout target_;
};

/// Returns the bias with zeros behind that of the last channel, which fill its vector.
std::vector<float> padded_bias(const Node& node, std::int64_t size);

/// Returns the cost by F(2x2, 3x3), infinite where that cannot do this convolution.
double winograd_cost(const kernels::KernelTable& table, const Node& conv, const Shape& input);
/// Makes a step of it; the pixels of the input have whole vectors of channels.
StepPtr make_winograd_step(const kernels::KernelTable& table, const Node& node, const ChannelsTail& tail,
                           const std::vector<Operand>& from, const Operand& to);

}  // namespace cbnet::runtime
