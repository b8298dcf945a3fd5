// This step makes 3x3 convolutions by F(2x2, 3x3), as kernels/channels.h explains it.
#include <algorithm>
#include <array>
#include <limits>

#include "runtime/steps/channels.h"

namespace cbnet::runtime {
namespace {

constexpr std::int64_t kPoints = 16;

bool can_winograd(const Node& conv) {
  const Window2d& window = conv.window;
  return window.kernel_size == 3 && window.stride == 1 && window.dilation == 1 && conv.groups == 1;
}

/// Returns the product of one point's numbers, as a convolution of 1x1 whose pixels are tiles.
Node point_product(const Node& conv) {
  Node out;
  out.kind = Kind::conv2d;
  out.shape = {conv.shape[0], (conv.shape[1] + 1) / 2, (conv.shape[2] + 1) / 2};
  return out;
}

/// Returns as many as leave their numbers and products in the L2.
std::int64_t tiles_at_once(std::int64_t tiles, std::int64_t channels) {
  constexpr std::int64_t kBytes = 192 * 1024, kMin = 12;
  const std::int64_t most = std::max(kBytes / (4 * kPoints * channels), kMin);
  const kernels::Split split(tiles, most);
  return split[0];
}

class ChannelsWinogradStep : public ChannelsStep {
 public:
  ChannelsWinogradStep(const kernels::KernelTable& table, const Node& node, const ChannelsTail& tail,
                       const std::vector<Operand>& from, const Operand& to)
      : ChannelsStep(from, to), run_(table.channels.winograd) {
    winograd = true;
    const std::int64_t lanes = table.conv.lanes;
    const Layout& source = from[0].layout;
    const Node product = point_product(node);
    const Blocks blocks = choose_blocks(table.channels, lanes, product, source.c);
    conv_.tile_columns = product.shape[2];
    conv_.tiles = product.shape[1] * product.shape[2];
    conv_.in_vectors = round_up(source.c, lanes) / lanes;
    conv_.oh = node.shape[1];
    conv_.ow = node.shape[2];
    conv_.low = tail.low;
    conv_.high = tail.high;
    kernels::ChannelsConv& sums = conv_.product;
    sums.vectors = round_up(node.shape[0], lanes) / lanes;
    conv_.tiles_at_once = tiles_at_once(conv_.tiles, (conv_.in_vectors + sums.vectors) * lanes);
    scratch_fixed_ = 4 * kPoints * conv_.tiles_at_once * (conv_.in_vectors + sums.vectors) * lanes;
    set_tiles(node, from, product.shape, lanes);
    sums.runs = 1;
    sums.run = source.c;
    sums.block_vectors = blocks.vectors;
    sums.block_pixels = blocks.pixels;
    sums.low = -std::numeric_limits<float>::infinity();
    sums.high = -sums.low;
    first_inputs_ = blocks.first_inputs;
    conv_.packed_point = source.c * sums.vectors * lanes;
    pack(node.weight, lanes);
    bias_ = padded_bias(node, sums.vectors * lanes);
    no_bias_.assign(bias_.size(), 0.0F);
    conv_.rows = rows_.data();
    conv_.columns = columns_.data();
    conv_.out_offsets = out_offsets_.data();
    conv_.add_offsets = add_offsets_.empty() ? nullptr : add_offsets_.data();
    conv_.bias = bias_.data();
    sums.in_offsets = in_tiles_.data();
    sums.out_offsets = out_tiles_.data();
    sums.run_offsets = &kNoOffset;
    sums.first_inputs = first_inputs_.data();
    sums.packed = packed_.data();
    sums.bias = no_bias_.data();
  }

 private:
  void run_image(const Image& image) const override {
    run_(conv_, image.in, image.add, image.scratch, image.out);
  }

  /// Settles where the pixels of tiles, their numbers, products and results stand.
  void set_tiles(const Node& node, const std::vector<Operand>& from, const Shape& tiles, std::int64_t lanes) {
    const Layout& source = from[0].layout;
    const auto starts = [](std::int64_t count, std::int64_t padding, std::int64_t last, std::int64_t step) {
      Offsets out;
      for (std::int64_t t = 0; t < count; ++t) {
        for (std::int64_t i = 0; i < 4; ++i)
          out.push_back(static_cast<std::int32_t>(std::min(2 * t + i - padding, last) * step));
      }
      return out;
    };
    rows_ =
        starts(tiles[1], node.window.padding.top, source.h + source.pad_h - 1, source.row() * source.pitch);
    columns_ = starts(tiles[2], node.window.padding.left, source.w + source.pad_w - 1, source.pitch);
    for (std::int32_t& row : rows_) row += pixel_offset(source, 0, 0);
    out_offsets_ = pixel_offsets(target_, node.shape[1], node.shape[2]);
    if (from.size() > 1) add_offsets_ = pixel_offsets(from[1].layout, node.shape[1], node.shape[2]);
    for (std::int64_t t = 0; t < conv_.tiles_at_once; ++t) {
      in_tiles_.push_back(static_cast<std::int32_t>(t * conv_.in_vectors * lanes));
      out_tiles_.push_back(static_cast<std::int32_t>(t * conv_.product.vectors * lanes));
    }
  }

  /// Packs G g G' by point, block of channels by block of channels, input by input.
  void pack(const Tensor& weight, std::int64_t lanes) {
    const std::int64_t outputs = weight.size(0), inputs = weight.size(1);
    const kernels::Split vectors(conv_.product.vectors, conv_.product.block_vectors);
    packed_.assign(at(kPoints * conv_.packed_point), 0.0F);
    for (std::int64_t b = 0; b < vectors.blocks; ++b) {
      const std::int64_t first = vectors.first(b) * lanes, width = vectors[b] * lanes;
      for (std::int64_t c = 0; c < inputs; ++c) {
        for (std::int64_t o = first; o < std::min(first + width, outputs); ++o) {
          const std::array<double, kPoints> points = transformed(weight.data<float>() + (o * inputs + c) * 9);
          for (std::int64_t p = 0; p < kPoints; ++p)
            packed_[at(p * conv_.packed_point + first * inputs + c * width + o - first)] =
                static_cast<float>(points[at(p)]);
        }
      }
    }
  }

  static std::array<double, kPoints> transformed(const float* g) {
    constexpr double kG[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
    std::array<double, kPoints> out{};
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t j = 0; j < 4; ++j) {
        for (std::size_t y = 0; y < 3; ++y) {
          for (std::size_t x = 0; x < 3; ++x)
            out[i * 4 + j] += kG[i][y] * kG[j][x] * static_cast<double>(g[y * 3 + x]);
        }
      }
    }
    return out;
  }

  static constexpr std::int32_t kNoOffset = 0;
  void (*run_)(const kernels::ChannelsWinograd&, const float*, const float*, float*, float*);
  kernels::ChannelsWinograd conv_;
  Offsets rows_, columns_, out_offsets_, add_offsets_, in_tiles_, out_tiles_, first_inputs_;
  std::vector<float> packed_, bias_, no_bias_;
};

}  // namespace

double winograd_cost(const kernels::KernelTable& table, const Node& conv, const Shape& input) {
  // Its transforms read whole vectors of channels, which few channels from the caller do not have.
  if (!can_winograd(conv) || input[0] < table.conv.lanes) return std::numeric_limits<double>::infinity();
  const std::int64_t lanes = table.conv.lanes;
  const Node product = point_product(conv);
  const std::int64_t in = round_up(input[0], lanes) / lanes, out = round_up(conv.shape[0], lanes) / lanes;
  // The transforms load and store 16 vectors and add 32, or 24 and what follows.
  const auto transforms = static_cast<double>(product.shape[1] * product.shape[2] * (60 * in + 60 * out));
  return kPoints * choose_blocks(table.channels, lanes, product, input[0]).cost + transforms;
}

StepPtr make_winograd_step(const kernels::KernelTable& table, const Node& node, const ChannelsTail& tail,
                           const std::vector<Operand>& from, const Operand& to) {
  return std::make_unique<ChannelsWinogradStep>(table, node, tail, from, to);
}

}  // namespace cbnet::runtime
