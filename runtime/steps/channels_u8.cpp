// These steps convolve images of bytes whose channels lie side by side, by kernels/channels_u8.h. What
// follows the sums brings them to the scale of the result.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "runtime/steps/channels_u8.h"

namespace cbnet::runtime {
namespace {

/// A window is so many runs of K-blocks of four elements.
struct Runs {
  bool whole_rows;  // nothing lies between two of its pixels
  std::int64_t count, elements;
  std::int64_t k_blocks() const { return (elements + 3) / 4; }
};

Runs runs_of(const Node& conv, std::int64_t pitch) {
  const Pair& kernel = conv.window.kernel_size;
  const std::int64_t inputs = conv.weight.size(1);
  if (inputs == pitch && conv.window.dilation.w == 1) return {true, kernel.h, kernel.w * inputs};
  return {false, kernel.h * kernel.w, inputs};
}

Blocks byte_blocks(const kernels::KernelTable& table, const Node& conv, std::int64_t channels,
                   const Runs& runs) {
  const std::int64_t k_blocks = runs.count * runs.k_blocks();
  constexpr double kFinish = 7;  // instructions, where f32 has 2
  return choose_blocks(table.channels, table.conv.lanes, conv, channels,
                       {static_cast<double>(k_blocks), kFinish});
}

/// This is what follows the sums of a convolution, by channel.
struct Finish {
  Finish(const Node& conv, const ChannelsTail& tail, const std::vector<Operand>& from, const Layout& target,
         std::int64_t channels)
      : scale(at(channels), 0.0F), offset(at(channels), 0.0F) {
    const Layout& source = from[0].layout;
    const double unit = target.is_bytes() ? scale_of(target) : 1.0;
    const std::int64_t each = conv.weight.numel() / conv.shape[0];
    double added = 0;  // by the zero point of the addend
    if (from.size() > 1) {
      finish.add_scale = static_cast<float>(scale_of(from[1].layout) / unit);
      added = static_cast<double>(finish.add_scale) * from[1].layout.zero_point;
    }
    for (std::int64_t o = 0; o < conv.shape[0]; ++o) {
      const double product = static_cast<double>(conv.scales[at(o)]) * scale_of(source);
      double bias = conv.bias.defined() ? static_cast<double>(conv.bias.data<float>()[o]) : 0.0;
      for (std::int64_t k = 0; k < each; ++k) bias -= product * source.zero_point * step(conv, o * each + k);
      scale[at(o)] = static_cast<float>(product / unit);
      offset[at(o)] = static_cast<float>(in_unit(bias, target) - added);
    }
    std::tie(finish.low, finish.high) = bounds(tail, target);
    finish.scale = scale.data();
    finish.offset = offset.data();
    finish.to_f32 = !target.is_bytes();
  }

  /// Returns weight i in units of its scale: -127 … 127.
  static int step(const Node& conv, std::int64_t i) {
    const std::int64_t each = conv.weight.numel() / conv.shape[0];
    return static_cast<int>(std::nearbyint(conv.weight.data<float>()[i] / conv.scales[at(i / each)]));
  }

  std::vector<float> scale, offset;
  kernels::ByteFinish finish;
};

class ByteConvStep : public ByteStep {
 public:
  ByteConvStep(const kernels::KernelTable& table, const Node& node, const ChannelsTail& tail,
               const std::vector<Operand>& from, const Operand& to)
      : ByteStep(from, to),
        run_(table.bytes.conv),
        finish_(node, tail, from, target_, round_up(node.shape[0], table.conv.lanes)) {
    const std::int64_t lanes = table.conv.lanes;
    const Layout& source = from[0].layout;
    const Runs runs = runs_of(node, source.pitch);
    const Blocks blocks = byte_blocks(table, node, source.c, runs);
    offsets_ = ConvOffsets(node, from, target_, blocks, runs.whole_rows);
    offsets_.describe(conv_);
    conv_.k_blocks = runs.k_blocks();
    conv_.vectors = round_up(node.shape[0], lanes) / lanes;
    conv_.block_vectors = blocks.vectors;
    conv_.block_pixels = blocks.pixels;
    pack(node, runs, lanes);
    conv_.packed = packed_.data();
    conv_.finish = finish_.finish;
  }

 private:
  void run_image(const Frame& frame, std::int64_t image, void* out) const override {
    run_(conv_, in(frame, 0, image), reads.size() > 1 ? in(frame, 1, image) : nullptr, out);
  }

  /// Packs block by block of channels: run by run, K-block by K-block, the four weights of each output.
  void pack(const Node& node, const Runs& runs, std::int64_t lanes) {
    const std::int64_t inputs = node.weight.size(1), taps = node.weight.size(2) * node.weight.size(3);
    const kernels::Split vectors(conv_.vectors, conv_.block_vectors);
    for (std::int64_t b = 0; b < vectors.blocks; ++b) {
      const std::int64_t first = vectors.first(b) * lanes, last = first + vectors[b] * lanes;
      for (std::int64_t r = 0; r < runs.count; ++r) {
        for (std::int64_t k = 0; k < 4 * runs.k_blocks(); k += 4) {
          for (std::int64_t o = first; o < last; ++o) {
            for (std::int64_t e = k; e < k + 4; ++e) {
              const std::int64_t tap = r * (runs.elements / inputs) + e / inputs;
              const bool is_there = o < node.shape[0] && e < runs.elements;
              packed_.push_back(static_cast<std::int8_t>(
                  is_there ? Finish::step(node, (o * inputs + e % inputs) * taps + tap) : 0));
            }
          }
        }
      }
    }
  }

  void (*run_)(const kernels::ByteConv&, const std::uint8_t*, const std::uint8_t*, void*);
  kernels::ByteConv conv_;
  Finish finish_;
  ConvOffsets offsets_;
  std::vector<std::int8_t> packed_;
};

class ByteDepthwiseStep : public ByteStep {
 public:
  ByteDepthwiseStep(const kernels::KernelTable& table, const Node& node, const ChannelsTail& tail,
                    const std::vector<Operand>& from, const Operand& to)
      : ByteStep(from, to),
        run_(table.bytes.depthwise),
        finish_(node, tail, from, target_, round_up(node.shape[0], table.conv.lanes)) {
    const std::int64_t lanes = table.conv.lanes;
    const Layout& source = from[0].layout;
    const auto& [kernel, stride, padding, dilation, ceil_mode] = node.window;
    conv_.rows = node.shape[1];
    conv_.columns = node.shape[2];
    conv_.fours = (kernel.h + 3) / 4;
    conv_.row = (source.row() + source.pad_w) * source.pitch;
    const std::int64_t four = round_up(4 * conv_.row, 256);
    scratch_fixed_ = conv_.fours * four;
    for (std::int64_t i = 0; i < conv_.rows; ++i) {
      for (std::int64_t ky = 0; ky < 4 * conv_.fours; ++ky) {
        const std::int64_t row = i * stride.h - padding.top + (ky < kernel.h ? ky : 0) * dilation.h;
        row_offsets_.push_back(pixel_offset(source, row, -source.pad_w));
      }
    }
    for (std::int64_t j = 0; j < conv_.columns; ++j)
      in_offsets_.push_back(
          static_cast<std::int32_t>((j * stride.w - padding.left + source.pad_w) * source.pitch));
    for (std::int64_t f = 0; f < conv_.fours; ++f) {
      for (std::int64_t kx = 0; kx < kernel.w; ++kx)
        tap_offsets_.push_back(static_cast<std::int32_t>(f * four + 4 * kx * dilation.w * source.pitch));
    }
    out_offsets_ = pixel_offsets(target_, node.shape[1], node.shape[2]);
    conv_.taps = static_cast<std::int64_t>(tap_offsets_.size());
    conv_.vectors = round_up(node.shape[0], lanes) / lanes;
    pack(node, lanes);
    conv_.row_offsets = row_offsets_.data();
    conv_.in_offsets = in_offsets_.data();
    conv_.out_offsets = out_offsets_.data();
    conv_.tap_offsets = tap_offsets_.data();
    conv_.packed = packed_.data();
    conv_.finish = finish_.finish;
  }

 private:
  void run_image(const Frame& frame, std::int64_t image, void* out) const override {
    run_(conv_, in(frame, 0, image), reinterpret_cast<std::uint8_t*>(frame.scratch), out);
  }

  void pack(const Node& node, std::int64_t lanes) {
    const Pair& kernel = node.window.kernel_size;
    for (std::int64_t first = 0; first < conv_.vectors * lanes; first += lanes) {
      for (std::int64_t tap = 0; tap < conv_.taps; ++tap) {
        for (std::int64_t c = first; c < first + lanes; ++c) {
          for (std::int64_t e = 0; e < 4; ++e) {
            const std::int64_t ky = tap / kernel.w * 4 + e, kx = tap % kernel.w;
            const bool is_there = c < node.shape[0] && ky < kernel.h;
            packed_.push_back(static_cast<std::int8_t>(
                is_there ? Finish::step(node, (c * kernel.h + ky) * kernel.w + kx) : 0));
          }
        }
      }
    }
  }

  void (*run_)(const kernels::ByteDepthwise&, const std::uint8_t*, std::uint8_t*, void*);
  kernels::ByteDepthwise conv_;
  Finish finish_;
  Offsets row_offsets_, in_offsets_, tap_offsets_, out_offsets_;
  std::vector<std::int8_t> packed_;
};

}  // namespace

double bytes_cost(const kernels::KernelTable& table, const Node& conv, const Shape& input, bool tight) {
  const std::int64_t lanes = table.conv.lanes;
  const double relative = table.bytes.relative_cost;
  if (!is_depthwise(conv))
    return relative *
           byte_blocks(table, conv, input[0], runs_of(conv, tight ? input[0] : bytes_layout(input, {}).pitch))
               .cost;
  const Pair& kernel = conv.window.kernel_size;
  const std::int64_t fours = (kernel.h + 3) / 4, vectors = round_up(conv.shape[0], lanes) / lanes;
  const std::int64_t row = input[2] * vectors * lanes / (4 * lanes);
  return relative * static_cast<double>(conv.shape[1] * (row * fours * 12 +
                                                         conv.shape[2] * vectors * (fours * kernel.w + 8)));
}

StepPtr make_bytes_conv_step(const kernels::KernelTable& table, const Node& node, const ChannelsTail& tail,
                             const std::vector<Operand>& from, const Operand& to) {
  if (is_depthwise(node)) return std::make_unique<ByteDepthwiseStep>(table, node, tail, from, to);
  return std::make_unique<ByteConvStep>(table, node, tail, from, to);
}

}  // namespace cbnet::runtime
