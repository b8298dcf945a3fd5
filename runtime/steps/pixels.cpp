// These steps do layers without windows whose values have the channels of a pixel side by side: number by
// number, channel by channel, or pixel by pixel.
#include <algorithm>

#include "runtime/steps/plain.h"

namespace cbnet::runtime {
namespace {

std::vector<Layout> layouts_of(const std::vector<Operand>& operands) {
  std::vector<Layout> out(operands.size());
  std::transform(operands.begin(), operands.end(), out.begin(), [](const Operand& o) { return o.layout; });
  return out;
}

/// Returns the element at which row i of an image begins.
std::int64_t row_begin(const Layout& layout, std::int64_t i) {
  return (layout.first() + i * layout.row()) * layout.pitch;
}

/// Hands rows of pixels to a body that takes the elements of one.
Body by_rows(const Body& row, const std::vector<Operand>& from, const Layout& target) {
  return [=, sources = layouts_of(from)](const float* const* x, float* y, float* scratch) {
    zero_border(target, y);
    for (std::int64_t i = 0; i < target.h; ++i) {
      const float* rows[2] = {};
      for (std::size_t k = 0; k < sources.size(); ++k) rows[k] = x[k] + row_begin(sources[k], i);
      row(rows, y + row_begin(target, i), scratch);
    }
  };
}

/// Calls fn(pixel of x, pixel of y) for all pixels.
template <class Fn>
void for_each_pixel(const Layout& source, const float* x, const Layout& target, float* y, Fn fn) {
  for (std::int64_t i = 0; i < target.h; ++i) {
    const float* from = x + row_begin(source, i);
    float* to = y + row_begin(target, i);
    for (std::int64_t j = 0; j < target.w; ++j, from += source.pitch, to += target.pitch) fn(from, to);
  }
}

/// Joins a value of shape (C,H,W) and one of (C,1,1).
template <class F>
Body join_channels(const std::vector<Operand>& from, const Layout& target, F f) {
  const std::size_t whole = from[0].layout.h * from[0].layout.w < target.h * target.w ? 1 : 0;
  return [=, source = from[whole].layout, channels = from[1 - whole].layout](const float* const* x, float* y,
                                                                             float*) {
    zero_border(target, y);
    const float* b = x[1 - whole] + row_begin(channels, 0);
    for_each_pixel(source, x[whole], target, y, [&](const float* a, float* to) {
      for (std::int64_t c = 0; c < target.c; ++c) to[c] = f(a[c], b[c]);
    });
  };
}

Body concat_channels(const std::vector<Operand>& from, const Layout& target) {
  return [=, sources = layouts_of(from)](const float* const* x, float* y, float*) {
    zero_border(target, y);
    std::int64_t channel = 0;
    for (std::size_t k = 0; k < sources.size(); channel += sources[k++].c) {
      for_each_pixel(sources[k], x[k], target, y,
                     [&](const float* a, float* to) { std::copy_n(a, sources[k].c, to + channel); });
    }
  };
}

Body affine_channels(const Making& m, const Layout& source, const Layout& target) {
  return [=, scale = m.node.weight, shift = m.node.bias](const float* const* x, float* y, float*) {
    const float *a = scale.data<float>(), *b = shift.data<float>();
    zero_border(target, y);
    for_each_pixel(source, x[0], target, y, [&](const float* from, float* to) {
      for (std::int64_t c = 0; c < target.c; ++c) to[c] = a[c] * from[c] + b[c];
    });
  };
}

Body pixels_body(const Making& making, const std::vector<Operand>& from, const Layout& target) {
  const Kind kind = making.node.kind;
  if (kind == Kind::concat) return concat_channels(from, target);
  if (kind == Kind::affine) return affine_channels(making, from[0].layout, target);
  const bool stretched =
      from.size() == 2 && from[0].layout.h * from[0].layout.w != from[1].layout.h * from[1].layout.w;
  if (!stretched) return by_rows(plain_body(making), from, target);
  if (kind == Kind::add) return join_channels(from, target, [](float a, float b) { return a + b; });
  return join_channels(from, target, [](float a, float b) { return a * b; });
}

}  // namespace

StepPtr make_pixels_step(Isa isa, const Graph& graph, const Node& node, const std::vector<Operand>& from,
                         const Operand& to) {
  std::vector<int> buffers(from.size());
  std::transform(from.begin(), from.end(), buffers.begin(), [](const Operand& o) { return o.buffer; });
  const std::int64_t row = to.layout.w * to.layout.pitch;
  std::int64_t scratch_size = 0;
  const Making making{isa, graph, node, value_shape(graph, node.inputs.front()), row, scratch_size};
  Body body = pixels_body(making, from, to.layout);
  return std::make_unique<PlainStep>(buffers, to.buffer, std::move(body), 4 * scratch_size);
}

}  // namespace cbnet::runtime
