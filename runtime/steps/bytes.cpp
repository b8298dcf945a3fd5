// These steps pool, add, join and map images of bytes whose channels lie side by side.
#include <array>
#include <cmath>
#include <tuple>

#include "runtime/steps/channels_u8.h"
#include "runtime/steps/plain.h"

namespace cbnet::runtime {
namespace {

class BytePoolStep : public ByteStep {
 public:
  BytePoolStep(const kernels::KernelTable& table, const Node& node, const ChannelsTail& tail,
               const Operand& from, const Operand& to)
      : ByteStep({from}, to), run_(table.bytes.pool) {
    const Layout& source = from.layout;
    pool_.average = node.kind == Kind::avg_pool2d;
    pool_.channels = source.pitch;
    pool_.row_step = source.row() * source.pitch;
    pool_.col_step = source.pitch;
    std::tie(pool_.low, pool_.high) = bounds(tail, target_);
    for (const PoolWindow& window : pool_windows(node, source)) {
      const double scale = static_cast<double>(window.scale) * scale_of(source) / scale_of(target_);
      const double zeros = static_cast<double>(window.rows * window.cols) * source.zero_point;
      windows_.push_back({pixel_offset(source, window.row, window.col),
                          pixel_offset(target_, window.i, window.j), static_cast<std::int32_t>(window.rows),
                          static_cast<std::int32_t>(window.cols), static_cast<float>(scale),
                          static_cast<float>(target_.zero_point - scale * zeros)});
    }
    pool_.pixels = static_cast<std::int64_t>(windows_.size());
    pool_.windows = windows_.data();
  }

 private:
  void run_image(const Frame& frame, std::int64_t image, void* out) const override {
    run_(pool_, in(frame, 0, image), static_cast<std::uint8_t*>(out));
  }

  void (*run_)(const kernels::BytePool&, const std::uint8_t*, std::uint8_t*);
  kernels::BytePool pool_;
  std::vector<kernels::ByteWindow> windows_;
};

class ByteSumStep : public ByteStep {
 public:
  ByteSumStep(const kernels::KernelTable& table, const std::vector<Operand>& from, const Operand& to)
      : ByteStep(from, to), run_(table.bytes.sum), left_(from[0].layout), right_(from[1].layout) {
    sum_.count = target_.w * target_.pitch;
    sum_.a_scale = static_cast<float>(scale_of(left_) / scale_of(target_));
    sum_.b_scale = static_cast<float>(scale_of(right_) / scale_of(target_));
    sum_.offset = static_cast<float>(target_.zero_point) -
                  sum_.a_scale * static_cast<float>(left_.zero_point) -
                  sum_.b_scale * static_cast<float>(right_.zero_point);
    std::tie(sum_.low, sum_.high) = bounds({}, target_);
  }

 private:
  void run_image(const Frame& frame, std::int64_t image, void* out) const override {
    for (std::int64_t i = 0; i < target_.h; ++i)
      run_(sum_, in(frame, 0, image) + pixel_offset(left_, i, 0),
           in(frame, 1, image) + pixel_offset(right_, i, 0),
           static_cast<std::uint8_t*>(out) + pixel_offset(target_, i, 0));
  }

  void (*run_)(const kernels::ByteSum&, const std::uint8_t*, const std::uint8_t*, std::uint8_t*);
  kernels::ByteSum sum_;
  Layout left_, right_;
};

using ByteMap = std::array<std::uint8_t, 256>;

/// Returns which byte of `target` each byte of `source` becomes by a function of 256 numbers.
template <class F>
ByteMap map_of(const Layout& source, const Layout& target, F f) {
  float x[256], y[256];
  for (int q = 0; q < 256; ++q) x[q] = source.scale * static_cast<float>(q - source.zero_point);
  f(x, y);
  ByteMap out{};
  for (std::size_t q = 0; q < out.size(); ++q) {
    const double stored = in_unit(static_cast<double>(y[q]), target);
    out[q] =
        static_cast<std::uint8_t>(std::isnan(stored) ? 0 : std::clamp(std::nearbyint(stored), 0.0, 255.0));
  }
  return out;
}

/// A step joins channels, and maps each byte on its way: by one map for an input, or one for each channel.
class ByteMapStep : public ByteStep {
 public:
  ByteMapStep(std::vector<std::vector<ByteMap>> maps, const std::vector<Operand>& from, const Operand& to)
      : ByteStep(from, to), maps_(std::move(maps)) {
    for (const Operand& operand : from) sources_.push_back(operand.layout);
  }

 private:
  void run_image(const Frame& frame, std::int64_t image, void* out) const override {
    std::int64_t first = 0;
    for (std::size_t k = 0; k < sources_.size(); first += sources_[k++].c) {
      const Layout& source = sources_[k];
      for (std::int64_t i = 0; i < target_.h; ++i) {
        const std::uint8_t* from = in(frame, k, image) + pixel_offset(source, i, 0);
        std::uint8_t* to = static_cast<std::uint8_t*>(out) + pixel_offset(target_, i, 0) + first;
        for (std::int64_t j = 0; j < target_.w; ++j, from += source.pitch, to += target_.pitch)
          map(maps_[k], from, to, source.c);
      }
    }
  }

  static void map(const std::vector<ByteMap>& maps, const std::uint8_t* from, std::uint8_t* to,
                  std::int64_t channels) {
    if (maps.empty()) {
      std::copy_n(from, channels, to);
    } else if (maps.size() == 1) {
      for (std::int64_t c = 0; c < channels; ++c) to[c] = maps[0][from[c]];
    } else {
      for (std::int64_t c = 0; c < channels; ++c) to[c] = maps[at(c)][from[c]];
    }
  }

  std::vector<std::vector<ByteMap>> maps_;  // by input; none where bytes stay as they are
  std::vector<Layout> sources_;
};

std::vector<ByteMap> maps_of(const Graph& graph, const Node& node, const Layout& source,
                             const Layout& target) {
  if (node.kind == Kind::concat) {
    if (source.scale == target.scale && source.zero_point == target.zero_point) return {};
    return {map_of(source, target, [](const float* x, float* y) { std::copy_n(x, 256, y); })};
  }
  if (node.weight.defined()) {
    std::vector<ByteMap> out;
    for (std::int64_t c = 0; c < source.c; ++c) {
      const float w = node.weight.data<float>()[node.weight.numel() > 1 ? c : 0];
      out.push_back(map_of(source, target, [&](const float* x, float* y) {
        const float b = node.kind == Kind::affine ? node.bias.data<float>()[c] : 0.0F;
        std::transform(x, x + 256, y, [&](float v) { return node.kind == Kind::add ? v + w : w * v + b; });
      }));
    }
    return out;
  }
  std::int64_t scratch_size = 0;
  const Body body =
      plain_body({Isa::scalar, graph, node, value_shape(graph, node.inputs.front()), 256, scratch_size});
  return {map_of(source, target, [&](const float* x, float* y) { body(&x, y, nullptr); })};
}

/// Tells whether nothing that follows the sums leaves f32, whatever the bytes are.
bool stays_finite(const Graph& graph, const Node& conv) {
  constexpr double kMax = 1e28;  // times a sum of 32 bits that is far below what f32 holds
  const double in = static_cast<double>(value_range(graph, conv.inputs[0])->scale);
  const double unit = conv.range ? std::min(1.0, static_cast<double>(conv.range->scale)) : 1.0;
  for (std::int64_t o = 0; o < conv.shape[0]; ++o) {
    const double bias = conv.bias.defined() ? std::abs(static_cast<double>(conv.bias.data<float>()[o])) : 0.0;
    if (static_cast<double>(conv.scales[at(o)]) * in / unit > kMax || bias / unit > kMax) return false;
  }
  return true;
}

/// Tells whether a constant is one number, or one for each channel.
bool is_by_channel(const Tensor& constant, const Shape& shape) {
  return constant.numel() == 1 || constant.shape() == Shape{shape[0], 1, 1};
}

}  // namespace

void ByteStep::run(const Frame& frame) const {
  for (std::int64_t i = 0; i < frame.n; ++i) {
    const bool lost =
        std::any_of(reads.begin(), reads.end(), [&](int buffer) { return frame.not_finite(buffer)[i] != 0; });
    if (target_.is_bytes()) {
      auto* const out = frame.at<std::uint8_t>(writes, i);
      fill_border(target_, out, static_cast<std::uint8_t>(target_.zero_point));
      run_image(frame, i, out);
      frame.not_finite(writes)[i] = lost ? 1 : 0;
    } else {
      auto* const out = frame.at<float>(writes, i);
      zero_border(target_, out);
      run_image(frame, i, out);
      if (lost) std::fill_n(out, target_.image(), std::numeric_limits<float>::quiet_NaN());
    }
  }
}
bool is_by_number(Kind kind) {
  return kind == Kind::relu || kind == Kind::leaky_relu || kind == Kind::sigmoid || kind == Kind::tanh ||
         kind == Kind::rescale || kind == Kind::pointwise || kind == Kind::affine;
}

bool can_bytes(const Graph& graph, const kernels::KernelTable& table, const Node& node) {
  const auto range = [&](std::int32_t v) { return value_range(graph, v); };
  if (!std::all_of(node.inputs.begin(), node.inputs.end(),
                   [&](std::int32_t v) { return range(v).has_value(); }))
    return false;
  const Shape& input = value_shape(graph, node.inputs[0]);
  if (node.shape.size() != 3 || input.size() != 3) return false;
  switch (node.kind) {
    case Kind::conv2d:
      // A product is at most 255 * 127: so many fit 32 bits.
      return !node.scales.empty() && node.weight.numel() / node.shape[0] <= 65'000 &&
             stays_finite(graph, node) && std::isfinite(bytes_cost(table, node, input, false));
    case Kind::max_pool2d:
      return node.range && node.range->scale == range(node.inputs[0])->scale &&
             node.range->zero_point == range(node.inputs[0])->zero_point;
    case Kind::add:
    case Kind::mul:
      if (node.inputs.size() == 1)
        return node.range && input == node.shape && is_by_channel(node.weight, node.shape);
      return node.range && node.kind == Kind::add && input == node.shape &&
             value_shape(graph, node.inputs[1]) == node.shape;
    case Kind::avg_pool2d:
    case Kind::concat:
      return node.range.has_value();
    default:
      return node.range && is_by_number(node.kind);
  }
}

Layout bytes_layout(const Shape& planes, const QuantParams& range) {
  constexpr std::int64_t kVector = 16;  // pixels have whole ones
  Layout layout = channels_layout(planes, kVector);
  layout.type = Layout::Type::channels_u8;
  layout.scale = range.scale;
  layout.zero_point = range.zero_point;
  return layout;
}

StepPtr make_bytes_step(const kernels::KernelTable& table, const Graph& graph, const Node& node,
                        const ChannelsTail& tail, const std::vector<Operand>& from, const Operand& to) {
  switch (node.kind) {
    case Kind::conv2d:
      return make_bytes_conv_step(table, node, tail, from, to);
    case Kind::max_pool2d:
    case Kind::avg_pool2d:
      return std::make_unique<BytePoolStep>(table, node, tail, from[0], to);
    default: {
      if (from.size() == 2 && node.kind == Kind::add) return std::make_unique<ByteSumStep>(table, from, to);
      std::vector<std::vector<ByteMap>> maps;
      for (const Operand& operand : from) maps.push_back(maps_of(graph, node, operand.layout, to.layout));
      return std::make_unique<ByteMapStep>(std::move(maps), from, to);
    }
  }
}

}  // namespace cbnet::runtime
