#pragma once

// A convolution's step on its own, with buffers of exactly the size that its kernels are promised.

#include <algorithm>
#include <new>

#include "runtime/step.h"
#include "tests/runtime/graphs.h"

namespace cbnet::runtime::test {

/// An allocation of exactly its size, so that the address sanitizer sees the first element beyond.
struct Elements {
  Elements(std::int64_t n, float value)
      : bytes(::operator new (static_cast<std::size_t>(4 * n), std::align_val_t{64})) {
    std::fill_n(data(), n, value);
  }
  ~Elements() { ::operator delete (bytes, std::align_val_t{64}); }
  Elements(const Elements&) = delete;
  Elements& operator=(const Elements&) = delete;
  float* data() const { return static_cast<float*>(bytes); }
  void* bytes;
};

struct ConvCase {
  std::int64_t channels, outputs, h, w, kernel, padding;
  enum { none, floor, ceil } pool = none;  // 2x2
  bool relu = false, bias = true;
  bool padded_input = true;  // a direct convolution has no other
  bool padded_output = false;

  /// The smallest side with a result.
  std::int64_t least() const {
    return std::max<std::int64_t>(kernel - 2 * padding + (pool == none ? 0 : 1), 1);
  }
};

inline std::string describe(const ConvCase& l, Isa isa) {
  return concat(to_string(isa), ": ", l.channels, " to ", l.outputs, " of ", l.h, "x", l.w, ", kernel ",
                l.kernel, ", padding ", l.padding, ", pool ", static_cast<int>(l.pool),
                l.relu ? ", relu" : "", l.padded_input ? ", padded in" : "",
                l.padded_output ? ", padded out" : "");
}

/// The largest error of one step, relative to the sum of absolute products; infinity where something is
/// written that is no result. What the scratch holds beforehand is NaN: it must not matter.
inline double worst_error(const ConvCase& l, Isa isa, bool by_winograd) {
  Builder b({l.channels, l.h, l.w}, static_cast<std::uint64_t>(l.w * 31 + l.h));
  auto made_by = b.conv(0, l.outputs, l.kernel, l.padding, l.bias);
  if (l.pool != ConvCase::none) made_by = b.max_pool(made_by, 2, 2, l.pool == ConvCase::ceil);
  const Shape made = b.shape(made_by);
  if (l.relu) b.plain(Kind::relu, made_by);
  const std::vector<float> pixels = b.pixels(1);
  const Values want = naive_output(b.graph, pixels.data());
  const Values allowed = naive_output(sizes_of(b.graph), sizes_of(pixels).data());

  const Node& node = b.graph.nodes[0];
  const auto form_of = [&](bool padded, const Shape& shape) {
    Layout layout = padded ? conv_layout(node, shape) : Layout{};
    return layout;
  };
  const Layout from = form_of(l.padded_input, b.graph.input), to = form_of(l.padded_output, made);
  ConvTail tail;
  tail.pool = l.pool != ConvCase::none;
  tail.winograd = by_winograd;
  tail.ph = made[1];
  tail.pw = made[2];
  tail.relu = l.relu;
  const kernels::KernelTable& table = kernels::kernel_table(isa);
  const StepPtr step = make_conv_step(table, {node, b.graph.input, tail}, {0, from}, {1, to});

  const auto elements = [](const Layout& layout, const Shape& shape) {
    return (layout.type == Layout::Type::padded ? layout.c * layout.plane() : numel(shape)) + kernels::kSlack;
  };
  const Elements in(elements(from, b.graph.input), 0.0F), out(elements(to, made), 0.0F);
  const Elements scratch(step->scratch_bytes(1) / 4, std::numeric_limits<float>::quiet_NaN());
  const auto place = [](const Layout& layout, const Shape& shape, std::int64_t c, std::int64_t i,
                        std::int64_t j) {
    return layout.type == Layout::Type::padded ? c * layout.plane() + layout.first() + i * layout.row() + j
                                               : (c * shape[1] + i) * shape[2] + j;
  };
  const auto each = [](const Shape& shape, auto f) {
    std::size_t at = 0;
    for (std::int64_t c = 0; c < shape[0]; ++c) {
      for (std::int64_t i = 0; i < shape[1]; ++i) {
        for (std::int64_t j = 0; j < shape[2]; ++j) f(c, i, j, at++);
      }
    }
  };
  each(b.graph.input, [&](std::int64_t c, std::int64_t i, std::int64_t j, std::size_t at) {
    in.data()[place(from, b.graph.input, c, i, j)] = pixels[at];
  });
  const Slot slots[] = {{0, 0},
                        {static_cast<std::size_t>(reinterpret_cast<std::byte*>(out.data()) -
                                                  reinterpret_cast<std::byte*>(in.data())),
                         0}};
  Frame frame;
  frame.arena = reinterpret_cast<std::byte*>(in.data());
  frame.slots = slots;
  frame.scratch = reinterpret_cast<std::byte*>(scratch.data());
  frame.n = 1;
  step->run(frame);

  double worst = 0;
  std::int64_t results = 0;
  each(made, [&](std::int64_t c, std::int64_t i, std::int64_t j, std::size_t at) {
    const double got = static_cast<double>(out.data()[place(to, made, c, i, j)]);
    const double error = std::fabs(got - want[at]) / (allowed[at] + 1e-30);
    if (!(error <= worst)) worst = error;  // a NaN is the worst
    results += got != 0 ? 1 : 0;
  });
  // Whatever is no result stayed zero: the next layer's padding.
  std::int64_t written = 0;
  for (std::int64_t i = 0; i < elements(to, made); ++i) written += out.data()[i] != 0.0F ? 1 : 0;
  return written == results ? worst : HUGE_VAL;
}

}  // namespace cbnet::runtime::test
