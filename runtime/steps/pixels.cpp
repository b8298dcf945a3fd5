// These steps do layers without windows whose values have the channels of a pixel side by side: number by
// number, channel by channel, or pixel by pixel.
#include <algorithm>

#include "runtime/steps/plain.h"

namespace cbnet::runtime {
namespace {

/// Hands rows of pixels to a body that takes the elements of one.
Body by_rows(Body row, const std::vector<Operand>& from, const Layout& target) {
  std::vector<Layout> sources;
  for (const Operand& operand : from) sources.push_back(operand.layout);
  return [=](const float* const* x, float* y, float* scratch) {
    zero_border(target, y);
    for (std::int64_t i = 0; i < target.h; ++i) {
      const float* rows[2] = {};
      for (std::size_t k = 0; k < sources.size(); ++k)
        rows[k] = x[k] + (sources[k].first() + i * sources[k].row()) * sources[k].pitch;
      row(rows, y + (target.first() + i * target.row()) * target.pitch, scratch);
    }
  };
}

/// Calls fn(pixel of x[0], pixel of y, x) for all pixels.
template <class Fn>
Body by_pixels(const Layout& source, const Layout& target, Fn fn) {
  return [=](const float* const* x, float* y, float*) {
    zero_border(target, y);
    for (std::int64_t i = 0; i < target.h; ++i) {
      const float* from = x[0] + (source.first() + i * source.row()) * source.pitch;
      float* to = y + (target.first() + i * target.row()) * target.pitch;
      for (std::int64_t j = 0; j < target.w; ++j, from += source.pitch, to += target.pitch) fn(from, to, x);
    }
  };
}

/// Joins a value of shape (C,H,W) and one of (C,1,1).
template <class F>
Body join_channels(const std::vector<Operand>& from, const Layout& target, F f) {
  const bool swapped = from[0].layout.h * from[0].layout.w < target.h * target.w;
  const Layout &whole = from[swapped ? 1 : 0].layout, &channels = from[swapped ? 0 : 1].layout;
  const Body joined = by_pixels(whole, target, [=](const float* a, float* y, const float* const* x) {
    const float* b = x[1] + channels.first() * channels.pitch;
    for (std::int64_t c = 0; c < target.c; ++c) y[c] = f(a[c], b[c]);
  });
  if (!swapped) return joined;
  return [=](const float* const* x, float* y, float* scratch) {
    const float* const both[] = {x[1], x[0]};
    joined(both, y, scratch);
  };
}

Body concat_channels(const std::vector<Operand>& from, const Layout& target) {
  std::vector<Layout> sources;
  for (const Operand& operand : from) sources.push_back(operand.layout);
  return [=](const float* const* x, float* y, float*) {
    zero_border(target, y);
    std::int64_t channel = 0;
    for (std::size_t k = 0; k < sources.size(); channel += sources[k++].c) {
      const float* const part[] = {x[k]};
      const std::int64_t count = sources[k].c;
      by_pixels(sources[k], target, [=](const float* a, float* to, const float* const*) {
        std::copy_n(a, count, to + channel);
      })(part, y, nullptr);
    }
  };
}

Body affine_channels(const Making& m, const Layout& source, const Layout& target) {
  return by_pixels(
      source, target,
      [=, scale = m.node.weight, shift = m.node.bias](const float* x, float* y, const float* const*) {
        const float *a = scale.data<float>(), *b = shift.data<float>();
        for (std::int64_t c = 0; c < target.c; ++c) y[c] = a[c] * x[c] + b[c];
      });
}

}  // namespace

StepPtr make_pixels_step(Isa isa, const Graph& graph, const Node& node, const std::vector<Operand>& from,
                         const Operand& to) {
  const Layout& target = to.layout;
  std::vector<int> buffers;
  for (const Operand& operand : from) buffers.push_back(operand.buffer);
  std::int64_t scratch_size = 0;
  const Making making{
      isa, graph, node, value_shape(graph, node.inputs.front()), target.w * target.pitch, scratch_size};
  const bool stretched =
      from.size() == 2 && from[0].layout.h * from[0].layout.w != from[1].layout.h * from[1].layout.w;
  Body body;
  if (node.kind == Kind::concat) {
    body = concat_channels(from, target);
  } else if (node.kind == Kind::affine) {
    body = affine_channels(making, from[0].layout, target);
  } else if (stretched && node.kind == Kind::add) {
    body = join_channels(from, target, [](float a, float b) { return a + b; });
  } else if (stretched) {
    body = join_channels(from, target, [](float a, float b) { return a * b; });
  } else {
    body = by_rows(plain_body(making), from, target);
  }
  return std::make_unique<PlainStep>(buffers, to.buffer, std::move(body), 4 * scratch_size);
}

}  // namespace cbnet::runtime
