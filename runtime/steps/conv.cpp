// This file plans the convolutions that kernels/fused_conv2d.h and kernels/winograd.h do: how the work is
// cut, and the weights as the kernels read them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/step.h"
#include "tensor/cpu/kernels/split.h"

namespace cbnet::runtime {
namespace {

using kernels::Conv;
using kernels::ConvBlock;
using kernels::ConvTable;
using kernels::round_up;
using kernels::Winograd;

/// Cuts the q of all results into blocks of at most `vectors` vectors, as equal as can be. `h` rows of
/// pixels.
std::vector<ConvBlock> cut(const Conv& conv, std::int64_t h, std::int64_t padding, std::int64_t lanes,
                           std::int64_t vectors) {
  const std::int64_t total = (conv.oh - 1) * conv.row + conv.ow;
  require(std::max(total, conv.kh) <= std::numeric_limits<std::int32_t>::max() - 64, "conv",
          "a block counts pixels and kernel rows in 32 bits; got ", total, " pixels and ", conv.kh, " rows");
  const kernels::Split split((total + lanes - 1) / lanes, vectors);
  std::vector<ConvBlock> out;
  for (std::int64_t b = 0; b < split.blocks; ++b) {
    const std::int64_t q = split.first(b) * lanes, size = split[b];
    const std::int64_t first_row = q / conv.row;
    const std::int64_t last_row = std::min((q + size * lanes - 1) / conv.row, conv.oh - 1);
    const auto ky = [&](std::int64_t k) {
      return static_cast<std::int32_t>(std::clamp<std::int64_t>(k, 0, conv.kh));
    };
    const std::int32_t ky_begin = ky(padding - last_row);
    out.push_back({static_cast<std::int32_t>(q), static_cast<std::int32_t>(size), ky_begin,
                   std::max(ky_begin, ky(h + padding - first_row))});
  }
  return out;
}

/// Estimates the cycles of a core that does a vector FMA per cycle, about: loads and latency may cost more
/// than the sums.
double cost(const Conv& conv, const std::vector<ConvBlock>& blocks, std::int64_t outputs) {
  double sum = 0;
  for (const ConvBlock& block : blocks) {
    const double taps = static_cast<double>((block.ky_end - block.ky_begin) * conv.kw * conv.c);
    for (std::int64_t first = 0; first < conv.o; first += outputs) {
      const auto o = static_cast<double>(std::min(outputs, conv.o - first));
      const auto v = static_cast<double>(block.vectors);
      sum += taps * std::max({v * o, 0.9 * (v + o), 4.0}) + 2 * v * o + 12;
    }
  }
  return sum;
}

bool is_offered(std::int64_t outputs) {
  return std::count(std::begin(kernels::kConvOutputs), std::end(kernels::kConvOutputs), outputs) > 0;
}

/// Sets conv.outputs and returns its blocks, for the lowest cost.
std::vector<ConvBlock> choose(Conv& conv, const ConvTable& table, std::int64_t h, std::int64_t padding) {
  std::vector<ConvBlock> best;
  double lowest = INFINITY;
  for (std::int64_t vectors = 1; vectors <= 4; ++vectors) {
    std::vector<ConvBlock> blocks = cut(conv, h, padding, table.lanes, vectors);
    for (const std::int64_t outputs : kernels::kConvOutputs) {
      const std::int64_t rest = conv.o % outputs;
      if (outputs > conv.o || vectors * outputs > table.accumulators || (rest > 0 && !is_offered(rest)))
        continue;
      const double cycles = cost(conv, blocks, outputs);
      if (cycles >= lowest) continue;
      lowest = cycles;
      conv.outputs = outputs;
      best = blocks;
    }
  }
  return best;
}

/// Appends the weights of outputs first, …, last - 1 as the kernels read them: tap by tap, output by output.
/// Element (o, tap) stands at w[o * taps + tap].
void pack(const std::vector<float>& w, std::int64_t taps, std::int64_t first, std::int64_t last,
          std::vector<float>& to) {
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    for (std::int64_t o = first; o < last; ++o) to.push_back(w[static_cast<std::size_t>(o * taps + tap)]);
  }
}

std::vector<float> bias_of(const Node& node) {
  return node.bias.defined() ? node.bias.to_vector<float>()
                             : std::vector<float>(static_cast<std::size_t>(node.weight.size(0)), 0.0F);
}

/// Sets what follows the sums, the same for both ways to make them.
void set_results(Conv& conv, const ConvTail& tail, const Layout& to_layout) {
  conv.pool = tail.pool;
  conv.relu = tail.relu;
  conv.ph = tail.pool ? tail.ph : conv.oh;
  conv.pw = tail.pool ? tail.pw : conv.ow;
  const bool padded = to_layout.type == Layout::Type::padded;
  conv.out_row = padded ? to_layout.row() : conv.pw;
  conv.out_plane = padded ? to_layout.plane() : conv.ph * conv.pw;
  conv.out_first = padded ? to_layout.first() : 0;
}

/// Plans the pooled convolution of `node` by way of winograd.h, all but where its input lies, its results go
/// and its weights are.
Winograd plan_winograd(const ConvTable& table, const Node& node, const Shape& input, std::int64_t pairs,
                       std::vector<ConvBlock>& blocks) {
  Winograd out;
  out.h = input[1];
  out.w = input[2];
  out.k = node.window.kernel_size.h;
  out.padding = node.window.padding.top;
  out.points = out.k + 1;
  out.pairs = pairs;
  Conv& sums = out.sums;
  sums.c = input[0];
  sums.o = node.weight.size(0);
  sums.kh = out.k;
  sums.kw = 1;
  sums.oh = out.h + 2 * out.padding - out.k + 1;
  sums.ow = sums.row = pairs;
  sums.in_plane = round_up((out.h + 2 * out.padding) * pairs, 16) + 32;
  sums.scratch_plane = round_up(sums.oh * pairs, 16) + 64;
  blocks = choose(sums, table, out.h, out.padding);
  return out;
}

/// Plans the convolution of `node` by way of fused_conv2d.h, likewise; rows of pixels lie `row` elements
/// apart.
Conv plan_conv(const ConvTable& table, const Node& node, const Shape& input, std::int64_t row,
               std::vector<ConvBlock>& blocks) {
  Conv out;
  out.c = input[0];
  out.o = node.weight.size(0);
  const auto& [kernel, stride, padding, dilation, ceil_mode] = node.window;
  out.kh = kernel.h;
  out.kw = kernel.w;
  out.oh = input[1] + 2 * padding.top - kernel.h + 1;
  out.ow = input[2] + 2 * padding.left - kernel.w + 1;
  out.row = row;
  out.scratch_plane = round_up(out.oh * out.row, 16) + 64;
  blocks = choose(out, table, input[1], padding.top);
  return out;
}

/// Returns G g of a row of k weights: one number a point (winograd.h).
std::vector<double> transform_weights(const float* g, std::int64_t k) {
  // A point's number is, of the polynomial with these coefficients, its values at the points, each over a
  // constant of its point; at infinity the leading one.
  const std::vector<double> points =
      k == 3 ? std::vector<double>{0, 1, -1} : std::vector<double>{0, 1, -1, 2, -2};
  const std::vector<double> factors =
      k == 3 ? std::vector<double>{1, 0.5, 0.5}
             : std::vector<double>{1.0 / 4, -1.0 / 6, -1.0 / 6, 1.0 / 24, 1.0 / 24};
  std::vector<double> out;
  for (std::size_t p = 0; p < points.size(); ++p) {
    double value = 0;
    for (std::int64_t i = k; i-- > 0;) value = value * points[p] + static_cast<double>(g[i]);
    out.push_back(factors[p] * value);
  }
  out.push_back(static_cast<double>(g[k - 1]));
  return out;
}

/// This is a convolution with the pooling and the ReLU behind it, by fused_conv2d.h or by winograd.h.
class ConvStep : public Step {
 public:
  ConvStep(const ConvTable& table, const ConvWork& work, const Operand& source, const Operand& target)
      : Step({source.buffer}, target.buffer), table_(table), bias_(bias_of(work.node)) {
    const auto& [node, input, tail] = work;
    const Layout& from = source.layout;
    winograd = tail.winograd;
    Conv& sums = all_.sums;
    if (winograd) {
      all_ = plan_winograd(table, node, input, tail.pw, blocks_);
      const bool padded = from.type == Layout::Type::padded;
      all_.in_row = padded ? from.row() : all_.w;
      all_.in_plane = padded ? from.plane() : all_.h * all_.w;
      all_.in_first = padded ? from.first() : 0;
      mark_last(node.window);
      scratch_fixed_ = 4 * winograd_scratch(all_, table.lanes);
    } else {
      sums = plan_conv(table, node, input, from.row(), blocks_);
      sums.in_plane = from.plane();
      const Padding2d& padding = node.window.padding;
      sums.in_first = (from.pad_h - padding.top) * sums.row + from.pad_w - padding.left;
      scratch_fixed_ = 4 * (sums.outputs * sums.scratch_plane + kernels::kSlack);
    }
    set_results(sums, tail, target.layout);
    pack_weights(node.weight);
    sums.blocks = blocks_.data();
    sums.block_count = static_cast<std::int64_t>(blocks_.size());
    sums.packed = packed_.data();
    sums.bias = bias_.data();
  }

  void run(const Frame& frame) const override {
    auto* scratch = reinterpret_cast<float*>(frame.scratch);
    for (std::int64_t i = 0; i < frame.n; ++i) {
      const float* const in = frame.at<float>(reads[0], i);
      float* const out = frame.at<float>(writes, i);
      winograd ? table_.run_winograd(all_, in, scratch, out) : table_.run(all_.sums, in, scratch, out);
    }
  }

 private:
  /// Packs block of outputs by block of outputs, and in it point by point.
  void pack_weights(const Tensor& weight) {
    std::vector<std::vector<float>> by_point = {weight.to_vector<float>()};
    if (winograd) {
      by_point.assign(static_cast<std::size_t>(all_.points), {});
      for (std::int64_t row = 0; row < weight.numel() / all_.k; ++row) {
        const std::vector<double> values = transform_weights(weight.data<float>() + row * all_.k, all_.k);
        for (std::size_t p = 0; p < values.size(); ++p) by_point[p].push_back(static_cast<float>(values[p]));
      }
    }
    const Conv& sums = all_.sums;
    for (std::int64_t first = 0; first < sums.o; first += sums.outputs) {
      for (const std::vector<float>& w : by_point)
        pack(w, sums.c * sums.kh * sums.kw, first, std::min(first + sums.outputs, sums.o), packed_);
    }
  }

  /// The last pair of an odd number of columns has one result.
  void mark_last(const Window2d& window) {
    if (2 * all_.pairs <= all_.w + 2 * window.padding.left - all_.k + 1) return;
    last_.assign(static_cast<std::size_t>(all_.sums.scratch_plane), 0.0F);
    for (std::int64_t i = 1; i <= all_.sums.oh; ++i)
      last_[static_cast<std::size_t>(i * all_.pairs - 1)] = -INFINITY;
    all_.last = last_.data();
  }

  const ConvTable& table_;
  Winograd all_;  // of which a direct convolution is the sums
  std::vector<ConvBlock> blocks_;
  std::vector<float> packed_, bias_, last_;
};

/// Of fused_conv2d.h.
double by_rows_cost(const ConvTable& table, const Node& conv, const Shape& input) {
  std::vector<ConvBlock> blocks;
  const Conv direct = plan_conv(table, conv, input, input[2] + conv.window.padding.left, blocks);
  return cost(direct, blocks, direct.outputs);
}

/// Of winograd.h, infinite where it cannot do this.
double by_points_cost(const ConvTable& table, const Node& conv, const Shape& input, const Node* pool) {
  const auto& [kernel, stride, padding, dilation, ceil_mode] = conv.window;
  const bool can = is_direct(conv) && (kernel == 3 || kernel == 5) && padding.top == padding.left &&
                   pool != nullptr && is_direct_pool(*pool);
  if (!can) return INFINITY;
  std::vector<ConvBlock> blocks;
  const Winograd by_points = plan_winograd(table, conv, input, pool->shape[2], blocks);
  const auto vectors = [&](std::int64_t n) {
    const std::int64_t whole = round_up(n, table.lanes) / table.lanes;
    return static_cast<double>(whole);
  };
  const auto points = static_cast<double>(by_points.points);
  const auto planes = static_cast<double>(by_points.sums.c), outputs = static_cast<double>(by_points.sums.o);
  // B' d and A' take some instructions a point, most of them stores and loads.
  const double transforms =
      planes * static_cast<double>(by_points.h) * vectors(by_points.pairs) * (4 * points + 8) +
      outputs * vectors(by_points.sums.oh * by_points.pairs) * (3 * points);
  return points * cost(by_points.sums, blocks, by_points.sums.outputs) + transforms;
}

}  // namespace

bool is_direct(const Node& conv) {
  const auto& [kernel, stride, padding, dilation, ceil_mode] = conv.window;
  // What a vector reads behind the last plane is padding - 1 zeros and the rest of its lanes.
  return conv.kind == Kind::conv2d && stride == 1 && dilation == 1 && conv.groups == 1 &&
         padding.is_symmetric() && padding.top < kernel.h && padding.left < kernel.w &&
         std::max(padding.top, padding.left) <= kernels::kSlack / 2;
}

bool is_direct_pool(const Node& pool) {
  return pool.kind == Kind::max_pool2d && pool.window.kernel_size == 2 && pool.window.stride == 2 &&
         pool.window.dilation == 1 && pool.window.padding.is_none();
}

bool is_winograd(const kernels::KernelTable& table, const Node& conv, const Shape& input, const Node* pool) {
  return by_points_cost(table.conv, conv, input, pool) < by_rows_cost(table.conv, conv, input);
}

double direct_cost(const kernels::KernelTable& table, const Node& conv, const Shape& input,
                   const Node* pool) {
  return std::min(by_points_cost(table.conv, conv, input, pool), by_rows_cost(table.conv, conv, input));
}

Layout conv_layout(const Node& conv, const Shape& input) {
  Layout layout;
  layout.type = Layout::Type::padded;
  layout.c = input[0];
  layout.h = input[1];
  layout.w = input[2];
  layout.pad_h = conv.window.padding.top;
  layout.pad_w = conv.window.padding.left;
  return layout;
}

StepPtr make_conv_step(const kernels::KernelTable& table, const ConvWork& work, const Operand& from,
                       const Operand& to) {
  return std::make_unique<ConvStep>(table.conv, work, from, to);
}

}  // namespace cbnet::runtime
