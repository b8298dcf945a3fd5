// These steps convolve and pool images whose channels lie side by side, by kernels/channels.h: here are the
// offsets of their windows, and the weights as the kernels read them.
#include <algorithm>
#include <utility>

#include "runtime/steps/channels.h"

namespace cbnet::runtime {
namespace {

using kernels::ChannelsTable;

/// Returns the blocks of at most blocks.pixels by blocks.vectors and their cost, in units of an FMA of
/// vectors: loads and latency may cost more than the sums. A block belongs to one group: a zero weight
/// between groups would not give zero where an input is infinite.
Blocks cut(const ChannelsTable& table, std::int64_t lanes, const Node& node, std::int64_t channels,
           const BlockCost& cost, Blocks out) {
  const std::int64_t block_pixels = out.pixels, block_vectors = out.vectors;
  if (block_pixels * block_vectors + block_vectors + 1 > table.registers) return out;
  const std::int64_t outputs = node.shape[0];
  const std::int64_t group_inputs = channels / node.groups, group_outputs = outputs / node.groups;
  if (node.groups > 1 && group_outputs % (lanes * block_vectors) != 0) return out;
  const kernels::Split vectors((outputs + lanes - 1) / lanes, block_vectors);
  const kernels::Split pixels(node.shape[1] * node.shape[2], block_pixels);
  out.inputs = group_inputs;
  for (std::int64_t b = 0; b < vectors.blocks; ++b) {
    const std::int64_t group = node.groups > 1 ? vectors.first(b) * lanes / group_outputs : 0;
    out.first_inputs.push_back(static_cast<std::int32_t>(group * group_inputs));
  }
  const auto block_cost = [&](std::int64_t p, std::int64_t v) {
    const auto sums = static_cast<double>(p * v), loads = static_cast<double>(p + v);
    return cost.taps * std::max({sums, 0.9 * loads, 6.0}) + cost.finish * sums + 20;
  };
  out.cost = 0;
  for (std::int64_t b = 0; b < vectors.blocks; ++b) {
    const auto larger = static_cast<double>(pixels.larger),
               rest = static_cast<double>(pixels.blocks) - larger;
    out.cost += larger * block_cost(pixels.size + 1, vectors[b]) + rest * block_cost(pixels.size, vectors[b]);
  }
  return out;
}

class ChannelsConvStep : public ChannelsStep {
 public:
  ChannelsConvStep(const kernels::KernelTable& table, const Node& node, const ChannelsTail& tail,
                   const std::vector<Operand>& from, const Operand& to)
      : ChannelsStep(from, to), run_(table.channels.conv) {
    const std::int64_t lanes = table.conv.lanes;
    const Layout& source = from[0].layout;
    const Blocks blocks = choose_blocks(table.channels, lanes, node, source.c);
    const bool whole_rows = blocks.inputs == source.pitch && node.window.dilation.w == 1;
    offsets_ = ConvOffsets(node, from, target_, blocks, whole_rows);
    offsets_.describe(conv_);
    conv_.run = blocks.inputs * (whole_rows ? node.window.kernel_size.w : 1);
    conv_.vectors = (node.shape[0] + lanes - 1) / lanes;
    conv_.block_vectors = blocks.vectors;
    conv_.block_pixels = blocks.pixels;
    conv_.low = tail.low;
    conv_.high = tail.high;
    bias_ = padded_bias(node, conv_.vectors * lanes);
    pack(node, blocks, lanes);
    conv_.packed = packed_.data();
    conv_.bias = bias_.data();
  }

 private:
  void run_image(const Image& image) const override { run_(conv_, image.in, image.add, image.out); }

  /// Packs block by block of channels: tap by tap, input channel by input channel, the weights of the block's
  /// outputs.
  void pack(const Node& node, const Blocks& blocks, std::int64_t lanes) {
    const Tensor& w = node.weight;
    const std::int64_t outputs = w.size(0), group_inputs = w.size(1), taps = w.size(2) * w.size(3);
    const kernels::Split vectors(conv_.vectors, blocks.vectors);
    for (std::int64_t b = 0; b < vectors.blocks; ++b) {
      const std::int64_t first = vectors.first(b) * lanes, last = first + vectors[b] * lanes;
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        for (std::int64_t c = 0; c < blocks.inputs; ++c) {
          for (std::int64_t o = first; o < last; ++o)
            packed_.push_back(o < outputs ? w.data<float>()[(o * group_inputs + c) * taps + tap] : 0.0F);
        }
      }
    }
  }

  void (*run_)(const kernels::ChannelsConv&, const float*, const float*, float*);
  kernels::ChannelsConv conv_;
  ConvOffsets offsets_;
  std::vector<float> packed_, bias_;
};

class ChannelsDepthwiseStep : public ChannelsStep {
 public:
  ChannelsDepthwiseStep(const kernels::KernelTable& table, const Node& node, const ChannelsTail& tail,
                        const Operand& from, const Operand& to)
      : ChannelsStep({from}, to), run_(table.channels.depthwise) {
    const std::int64_t lanes = table.conv.lanes, channels = node.shape[0];
    in_offsets_ = window_offsets(from.layout, node);
    out_offsets_ = pixel_offsets(target_, node.shape[1], node.shape[2]);
    tap_offsets_ = tap_offsets(from.layout, node.window);
    conv_.pixels = node.shape[1] * node.shape[2];
    conv_.taps = static_cast<std::int64_t>(tap_offsets_.size());
    conv_.vectors = (channels + lanes - 1) / lanes;
    conv_.low = tail.low;
    conv_.high = tail.high;
    bias_ = padded_bias(node, conv_.vectors * lanes);
    for (std::int64_t first = 0; first < channels; first += lanes) {
      for (std::int64_t tap = 0; tap < conv_.taps; ++tap) {
        for (std::int64_t c = first; c < first + lanes; ++c)
          packed_.push_back(c < channels ? node.weight.data<float>()[c * conv_.taps + tap] : 0.0F);
      }
    }
    conv_.in_offsets = in_offsets_.data();
    conv_.out_offsets = out_offsets_.data();
    conv_.tap_offsets = tap_offsets_.data();
    conv_.packed = packed_.data();
    conv_.bias = bias_.data();
  }

 private:
  void run_image(const Image& image) const override { run_(conv_, image.in, image.out); }

  void (*run_)(const kernels::ChannelsDepthwise&, const float*, float*);
  kernels::ChannelsDepthwise conv_;
  Offsets in_offsets_, out_offsets_, tap_offsets_;
  std::vector<float> packed_, bias_;
};

class ChannelsPoolStep : public ChannelsStep {
 public:
  ChannelsPoolStep(const kernels::KernelTable& table, const Node& node, const ChannelsTail& tail,
                   const Operand& from, const Operand& to)
      : ChannelsStep({from}, to), run_(table.channels.pool) {
    const Layout& source = from.layout;
    pool_.low = tail.low;
    pool_.high = tail.high;
    pool_.average = node.kind == Kind::avg_pool2d;
    pool_.vectors = (source.c + table.conv.lanes - 1) / table.conv.lanes;
    pool_.row_step = source.row() * source.pitch;
    pool_.col_step = source.pitch;
    for (const PoolWindow& window : pool_windows(node, source))
      windows_.push_back({pixel_offset(source, window.row, window.col),
                          pixel_offset(target_, window.i, window.j), static_cast<std::int32_t>(window.rows),
                          static_cast<std::int32_t>(window.cols), window.scale});
    pool_.pixels = static_cast<std::int64_t>(windows_.size());
    pool_.windows = windows_.data();
  }

 private:
  void run_image(const Image& image) const override { run_(pool_, image.in, image.out); }

  void (*run_)(const kernels::ChannelsPool&, const float*, float*);
  kernels::ChannelsPool pool_;
  std::vector<kernels::ChannelsWindow> windows_;
};

}  // namespace

ChannelsStep::ChannelsStep(const std::vector<Operand>& from, const Operand& to)
    : Step({}, to.buffer), target_(to.layout) {
  for (const Operand& operand : from) reads.push_back(operand.buffer);
}

void ChannelsStep::run(const Frame& frame) const {
  for (std::int64_t i = 0; i < frame.n; ++i) {
    const float* const add = reads.size() > 1 ? frame.at<float>(reads[1], i) : nullptr;
    auto* const out = frame.at<float>(writes, i);
    zero_border(target_, out);
    run_image({frame.at<float>(reads[0], i), add, reinterpret_cast<float*>(frame.scratch), out});
  }
}

Offsets window_offsets(const Layout& layout, const Node& node) {
  const Window2d& window = node.window;
  return pixel_offsets(layout, node.shape[1], node.shape[2], {-window.padding.top, -window.padding.left},
                       window.stride);
}

Offsets tap_offsets(const Layout& layout, const Window2d& window) {
  Offsets out;
  for (std::int64_t ky = 0; ky < window.kernel_size.h; ++ky) {
    for (std::int64_t kx = 0; kx < window.kernel_size.w; ++kx)
      out.push_back(static_cast<std::int32_t>(
          (ky * window.dilation.h * layout.row() + kx * window.dilation.w) * layout.pitch));
  }
  return out;
}

ConvOffsets::ConvOffsets(const Node& conv, const std::vector<Operand>& from, const Layout& target,
                         const Blocks& blocks, bool whole_rows)
    : in(window_offsets(from[0].layout, conv)),
      out(pixel_offsets(target, conv.shape[1], conv.shape[2])),
      first_inputs(blocks.first_inputs) {
  if (from.size() > 1) add = pixel_offsets(from[1].layout, conv.shape[1], conv.shape[2]);
  const Offsets taps = tap_offsets(from[0].layout, conv.window);
  for (std::size_t tap = 0; tap < taps.size(); tap += whole_rows ? at(conv.window.kernel_size.w) : 1)
    runs.push_back(taps[tap]);
}

Offsets pixel_offsets(const Layout& layout, std::int64_t rows, std::int64_t cols, Pair first, Pair step) {
  Offsets out;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j)
      out.push_back(pixel_offset(layout, first.h + i * step.h, first.w + j * step.w));
  }
  return out;
}

std::vector<PoolWindow> pool_windows(const Node& node, const Layout& source) {
  const auto& [kernel, stride, padding, dilation, ceil_mode] = node.window;
  std::vector<PoolWindow> out;
  for (std::int64_t i = 0; i < node.shape[1]; ++i) {
    for (std::int64_t j = 0; j < node.shape[2]; ++j) {
      const std::int64_t top = i * stride.h - padding.top, left = j * stride.w - padding.left;
      const std::int64_t row = std::max<std::int64_t>(top, 0), col = std::max<std::int64_t>(left, 0);
      const std::int64_t rows = std::min(top + kernel.h, source.h) - row;
      const std::int64_t cols = std::min(left + kernel.w, source.w) - col;
      const std::int64_t padded = (std::min(top + kernel.h, source.h + padding.top) - top) *
                                  (std::min(left + kernel.w, source.w + padding.left) - left);
      out.push_back({i, j, row, col, rows, cols,
                     1.0F / static_cast<float>(node.count_include_pad ? padded : rows * cols)});
    }
  }
  return out;
}

bool is_depthwise(const Node& conv) {
  return conv.groups > 1 && conv.weight.size(0) == conv.groups && conv.weight.size(1) == 1;
}

Blocks choose_blocks(const ChannelsTable& table, std::int64_t lanes, const Node& node,
                     std::int64_t channels) {
  const Pair& kernel = node.window.kernel_size;
  return choose_blocks(table, lanes, node, channels,
                       {static_cast<double>(channels / node.groups * kernel.h * kernel.w)});
}

Blocks choose_blocks(const ChannelsTable& table, std::int64_t lanes, const Node& node, std::int64_t channels,
                     const BlockCost& cost) {
  Blocks best;
  for (std::int64_t vectors = 1; vectors <= kernels::kChannelsVectors; ++vectors) {
    for (std::int64_t pixels = 1; pixels <= kernels::kChannelsPixels; ++pixels) {
      Blocks blocks;
      blocks.pixels = pixels;
      blocks.vectors = vectors;
      blocks = cut(table, lanes, node, channels, cost, std::move(blocks));
      if (blocks.cost < best.cost) best = std::move(blocks);
    }
  }
  return best;
}

std::vector<float> padded_bias(const Node& node, std::int64_t size) {
  std::vector<float> out(at(size), 0.0F);
  if (node.bias.defined()) std::copy_n(node.bias.data<float>(), node.bias.numel(), out.begin());
  return out;
}

void zero_border(const Layout& layout, float* image) { fill_border(layout, image, 0.0F); }

Layout channels_layout(const Shape& planes, std::int64_t lanes) {
  Layout layout;
  layout.type = Layout::Type::channels_last;
  layout.c = planes[0];
  layout.h = planes[1];
  layout.w = planes[2];
  layout.pitch = round_up(layout.c, lanes);
  return layout;
}

void add_border(Layout& layout, const Node& conv) {
  const Padding2d& padding = conv.window.padding;
  layout.pad_h = std::max({layout.pad_h, padding.top, padding.bottom});
  layout.pad_w = std::max({layout.pad_w, padding.left, padding.right});
}

double channels_cost(const kernels::KernelTable& table, const Node& conv, const Shape& input) {
  const std::int64_t lanes = table.conv.lanes;
  if (!is_depthwise(conv))
    return table.channels.relative_cost * std::min(choose_blocks(table.channels, lanes, conv, input[0]).cost,
                                                   winograd_cost(table, conv, input));
  const std::int64_t taps = conv.window.kernel_size.h * conv.window.kernel_size.w;
  const std::int64_t vectors = round_up(conv.shape[0], lanes) / lanes;
  return static_cast<double>(conv.shape[1] * conv.shape[2] * vectors * (taps + 4));
}

StepPtr make_channels_step(const kernels::KernelTable& table, const Node& node, const ChannelsTail& tail,
                           const std::vector<Operand>& from, const Operand& to) {
  if (node.kind != Kind::conv2d) return std::make_unique<ChannelsPoolStep>(table, node, tail, from[0], to);
  if (is_depthwise(node)) return std::make_unique<ChannelsDepthwiseStep>(table, node, tail, from[0], to);
  const Layout& source = from[0].layout;
  if (winograd_cost(table, node, {source.c, source.h, source.w}) <
      choose_blocks(table.channels, table.conv.lanes, node, source.c).cost)
    return make_winograd_step(table, node, tail, from, to);
  return std::make_unique<ChannelsConvStep>(table, node, tail, from, to);
}

bool takes_addend(const Node& node) { return node.kind == Kind::conv2d && !is_depthwise(node); }

}  // namespace cbnet::runtime
