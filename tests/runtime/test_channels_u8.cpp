// Layers of bytes whose channels lie side by side: each kind alone against loop nests, and networks of them.
#include <doctest/doctest.h>

#include <set>

#include "runtime/plan.h"
#include "runtime/planner.h"
#include "runtime/steps/channels_u8.h"
#include "tests/runtime/graphs.h"

using namespace cbnet;
using namespace cbnet::runtime;
using namespace cbnet::runtime::test;

namespace {

std::int64_t any(Builder& b, std::int64_t n) {
  return 1 + static_cast<std::int64_t>(b.rng.uniform() * static_cast<double>(n));
}

QuantParams any_range(Builder& b) {
  return {0.001F + 0.01F * static_cast<float>(b.rng.uniform()), static_cast<std::int32_t>(any(b, 256)) - 1};
}

/// This is an image of bytes in an allocation of exactly the size that kernels may read.
struct ByteImage {
  ByteImage(Builder& b, const Layout& given) : layout(given), bytes(size(given), 0xAB) {
    fill_border(layout, bytes.data(), static_cast<std::uint8_t>(layout.zero_point));
    for (std::int64_t i = 0; i < layout.c * layout.h * layout.w; ++i)
      bytes[place(i)] = static_cast<std::uint8_t>(any(b, 256) - 1);
  }
  static std::size_t size(const Layout& layout) {
    return static_cast<std::size_t>(layout.image() + kernels::kByteSlack);
  }
  std::size_t place(std::int64_t i) const {
    const std::int64_t plane = layout.h * layout.w, p = i % plane;
    return static_cast<std::size_t>(pixel_offset(layout, p / layout.w, p % layout.w) + i / plane);
  }
  Values real() const {
    Values out;
    for (std::int64_t i = 0; i < layout.c * layout.h * layout.w; ++i)
      out.push_back(scale_of(layout) * (bytes[place(i)] - layout.zero_point));
    return out;
  }
  Layout layout;
  std::vector<std::uint8_t> bytes;
};

struct Trial {
  bool tight = false, clamped = false, added = false, to_f32 = false;
};

/// Runs the step of the last node alone. Returns by how much a byte is farther from the exact result than
/// half a step, which is how far the nearest one may be; of f32 results, the error in such steps.
double worst_of(Builder& b, Isa isa, const Trial& trial) {
  const Node& node = b.graph.nodes.back();
  const kernels::KernelTable& table = kernels::kernel_table(isa);
  std::vector<ByteImage> images;
  std::vector<Values> values(b.graph.nodes.size());
  for (const std::int32_t v : node.inputs) {
    Layout from = bytes_layout(b.shape(v), any_range(b));
    if (node.kind == Kind::max_pool2d) from = bytes_layout(b.shape(v), *node.range);
    if (node.kind == Kind::conv2d) add_border(from, node);
    if (trial.tight && takes_addend(node)) from.pitch = from.c;
    images.emplace_back(b, from);
    values[static_cast<std::size_t>(v)] = images.back().real();
  }
  Values want = naive::run(b.graph, node, values);
  const bool added = trial.added && takes_addend(node);
  if (added) {
    Layout addend = bytes_layout(node.shape, any_range(b));
    addend.pad_w = 3;
    images.emplace_back(b, addend);
    const Values more = images.back().real();
    for (std::size_t i = 0; i < want.size(); ++i) want[i] += more[i];
  }
  const ChannelsTail tail = trial.clamped ? ChannelsTail{-0.25F, 0.5F} : ChannelsTail{};
  const bool to_f32 = trial.to_f32 && node.kind == Kind::conv2d;
  Layout to = to_f32 ? channels_layout(node.shape, table.conv.lanes) : bytes_layout(node.shape, *node.range);
  to.pad_h = 2, to.pad_w = 1;
  std::vector<std::uint8_t> out(ByteImage::size(to) * 4, 0xCD), flags(images.size() + 1, 0);
  std::vector<Operand> from;
  std::vector<Slot> slots;
  std::byte* const base = reinterpret_cast<std::byte*>(out.data());
  const auto place = [&](const std::uint8_t* p) {
    return static_cast<std::size_t>(reinterpret_cast<const std::byte*>(p) - base);
  };
  for (std::size_t k = 0; k < images.size(); ++k) {
    from.push_back({static_cast<int>(k), images[k].layout});
    slots.push_back({place(images[k].bytes.data()), 0, place(&flags[k])});
  }
  slots.push_back({0, 0, place(&flags.back())});
  const StepPtr step =
      make_bytes_step(table, b.graph, node, tail, from, {static_cast<int>(images.size()), to});
  std::vector<std::uint8_t> scratch(static_cast<std::size_t>(step->scratch_bytes(1)));
  Frame frame;
  frame.arena = base;
  frame.slots = slots.data();
  frame.scratch = reinterpret_cast<std::byte*>(scratch.data());
  frame.n = 1;
  step->run(frame);
  double worst = 0;
  const double unit = static_cast<double>(node.range->scale);
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(want.size()); ++i) {
    const std::int64_t plane = to.h * to.w, p = i % plane;
    const auto element = static_cast<std::size_t>(pixel_offset(to, p / to.w, p % to.w) + i / plane);
    double real = want[static_cast<std::size_t>(i)];
    if (trial.clamped) real = std::clamp(real, -0.25, 0.5);
    double error = 0;
    if (to_f32) {
      error = std::fabs(reinterpret_cast<const float*>(out.data())[element] - real) / unit;
    } else {
      error = std::fabs(out[element] - std::clamp(real / unit + to.zero_point, 0.0, 255.0)) - 0.5;
    }
    if (!(error <= worst)) worst = error;
  }
  for (std::int64_t e = 0; e < to.pad_w * to.pitch && !to_f32; ++e) {
    const auto row = static_cast<std::size_t>(pixel_offset(to, to.h - 1, to.w) + e);
    if (out[row] != to.zero_point) worst = HUGE_VAL;
  }
  return worst;
}

/// f32 rounds what follows the sums.
constexpr double kTie = 2e-3;

std::int32_t push(Builder& b, Node node) {
  node.name = "n" + std::to_string(b.graph.nodes.size() + 1);
  b.graph.nodes.push_back(std::move(node));
  return static_cast<std::int32_t>(b.graph.nodes.size());
}

std::int32_t conv(Builder& b, std::int32_t from, std::int64_t outputs, Window2d window,
                  std::int64_t groups = 1) {
  Node node;
  node.kind = Kind::conv2d;
  node.inputs = {from};
  node.window = window;
  node.groups = groups;
  node.shape = window_shape("test", b.shape(from), outputs, window);
  const std::int64_t inputs = b.shape(from)[0] / groups,
                     size = inputs * window.kernel_size.h * window.kernel_size.w;
  const auto most = 1.5F / std::sqrt(static_cast<float>(size));
  node.weight =
      Tensor::uniform({outputs, inputs, window.kernel_size.h, window.kernel_size.w}, -most, most, b.rng);
  node.bias = Tensor::uniform({outputs}, -0.2, 0.2, b.rng);
  quantize_weights(node);
  return push(b, std::move(node));
}

/// Gives every value of planes the range that it has on these images.
void set_ranges(Graph& graph, const std::vector<float>& pixels) {
  std::vector<std::vector<float>> seen(graph.nodes.size());
  for (std::size_t first = 0; first < pixels.size(); first += static_cast<std::size_t>(numel(graph.input))) {
    const std::vector<Values> values = all_values(graph, pixels.data() + first);
    for (std::size_t i = 0; i < seen.size(); ++i)
      seen[i].insert(seen[i].end(), values[i + 1].begin(), values[i + 1].end());
  }
  for (std::size_t i = 0; i < seen.size(); ++i) {
    Node& node = graph.nodes[i];
    if (node.shape.size() != 3) continue;
    node.range = calibrate(seen[i]);
    if (node.kind == Kind::max_pool2d) node.range = value_range(graph, node.inputs[0]);
  }
}

bool has_vnni() {
  const std::vector<Isa> isas = available_isas();
  return std::find(isas.begin(), isas.end(), Isa::avx512_vnni) != isas.end();
}

/// Checks the plan on every ISA against the loop nests, to 4 % of the largest number: seven roundings to one
/// of 256 steps in a row. Where there are dot products of bytes, `least` steps take bytes.
void check_plan(Builder& b, std::size_t least) {
  b.graph.classifies = false;
  std::vector<float> pixels(static_cast<std::size_t>(2 * numel(b.graph.input)));
  for (float& pixel : pixels) pixel = static_cast<float>(any(b, 256) - 1) / 255.0F;
  set_ranges(b.graph, pixels);
  const Values want = naive_outputs(b.graph, pixels);
  double size = 0;
  for (const double y : want) size = std::max(size, std::fabs(y));
  std::vector<std::uint8_t> bytes;
  for (const float pixel : pixels) bytes.push_back(static_cast<std::uint8_t>(std::lround(pixel * 255)));
  for (const Isa isa : available_isas()) {
    const Plan plan(b.graph, isa);
    Workspace workspace(plan);
    std::size_t on_bytes = 0;
    for (const StepInfo& step : plan.steps()) on_bytes += step.int8 ? 1 : 0;
    if (isa == Isa::avx512_vnni) CHECK(on_bytes >= least);
    const std::span<const float> made = plan.run(pixels.data(), 2, workspace).output;
    const std::vector<float> got(made.begin(), made.end());
    const std::span<const float> again = plan.run(bytes.data(), 2, workspace).output;
    double worst = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      const double error = std::fabs(static_cast<double>(got[i]) - want[i]) / size;
      if (!(error <= worst)) worst = error;
      CHECK(static_cast<double>(again[i]) == doctest::Approx(static_cast<double>(got[i])).epsilon(1e-4));
    }
    CHECK_MESSAGE(worst <= (on_bytes > 0 ? 0.04 : 1e-5), std::string(to_string(isa))
                                                             << ": " << worst << " of the largest");
  }
}

Window2d window(Pair kernel, Pair stride, Padding2d padding, Pair dilation = 1) {
  return {kernel, stride, padding, dilation, false};
}

}  // namespace

TEST_CASE("bytes: convolutions of any window and groups are the nearest bytes to the exact sums") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Builder b({0, 0, 0}, seed);
    b.graph.input = {any(b, 70), 9 + any(b, 9), 9 + any(b, 9)};
    const std::int64_t channels = b.graph.input[0];
    const bool depthwise = seed % 4 == 0;
    const std::int64_t groups = depthwise ? channels : channels % 2 == 0 ? any(b, 2) : 1;
    const std::int64_t outputs = depthwise ? channels : groups == 1 ? any(b, 70) : 32 * groups * any(b, 2);
    conv(b, 0, outputs,
         window({any(b, 5), any(b, 5)}, {any(b, 3), any(b, 3)},
                {any(b, 3) - 1, any(b, 3) - 1, any(b, 3) - 1, any(b, 3) - 1}, {any(b, 2), any(b, 2)}),
         groups);
    b.last().range = any_range(b);
    if (seed % 7 == 0) b.last().bias = Tensor();
    const Trial trial{seed % 3 == 0, seed % 5 == 0, seed % 2 == 0, seed % 6 == 1};
    for (const Isa isa : available_isas()) {
      const double worst = worst_of(b, isa, trial);
      CHECK_MESSAGE(worst <= kTie, "seed " << seed << ", " << std::string(to_string(isa)) << ": " << worst);
    }
  }
}

TEST_CASE("bytes: the largest sums that there can be do not leave 32 bits") {
  Builder b({7000, 3, 3}, 1);
  conv(b, 0, 16, window(3, 1, 1));
  b.last().range = QuantParams{4.0F, 100};
  Tensor& weight = b.last().weight;
  weight = Tensor::full({16, 7000, 3, 3}, 1.0F);
  b.last().scales.assign(16, 1.0F / 127);
  for (std::int64_t i = 0; i < weight.numel(); ++i) weight.data<float>()[i] = (1.0F / 127) * 127.0F;
  for (const Isa isa : available_isas()) CHECK(worst_of(b, isa, {}) <= 0.05);
}

TEST_CASE("bytes: pools, sums, joined channels and maps are the nearest bytes") {
  for (std::uint64_t seed = 1; seed <= 80; ++seed) {
    Builder b({0, 0, 0}, seed);
    b.graph.input = {any(b, 70), 5 + any(b, 9), 5 + any(b, 9)};
    const Shape input = b.graph.input;
    const std::int64_t kernel = any(b, 4);
    if (seed % 4 < 2) {
      b.max_pool(0, kernel, any(b, 3), seed % 3 == 0, std::min(kernel / 2, any(b, 3) - 1));
      if (seed % 4 == 1) {
        b.last().kind = Kind::avg_pool2d;
        b.last().count_include_pad = seed % 8 == 1;
      }
    } else if (seed % 4 == 2) {
      const auto other = b.plain(Kind::relu, 0);
      const bool sum = seed % 8 == 2;
      b.add(sum ? Kind::add : Kind::concat, {0, other}, {sum ? input[0] : 2 * input[0], input[1], input[2]});
    } else if (seed % 8 == 3) {
      b.plain(Kind::sigmoid, 0);
    } else {
      b.affine(0);
    }
    b.last().range = any_range(b);
    const bool windowed = b.last().kind == Kind::max_pool2d || b.last().kind == Kind::avg_pool2d;
    for (const Isa isa : available_isas()) {
      const double worst = worst_of(b, isa, {.clamped = windowed && seed % 5 == 0});
      CHECK_MESSAGE(worst <= (b.last().kind == Kind::max_pool2d && seed % 5 == 0 ? 0.5 : kTie),
                    "seed " << seed << ", " << std::string(to_string(isa)) << ": " << worst);
    }
  }
}

TEST_CASE("bytes: a residual network with strides and a head") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    Builder b({seed % 2 == 0 ? 1 : 3, 17, 15}, seed);
    const auto normed = b.affine(0);
    auto v = b.plain(Kind::relu, conv(b, normed, 16 * any(b, 2), window(3, 1, 1)));
    for (int block = 0; block < 2; ++block) {
      const std::int64_t outputs = 16 * any(b, 4) + (seed == 3 ? 5 : 0);
      const auto inner = b.plain(Kind::relu, conv(b, v, outputs, window(3, 2, 1)));
      const auto body = conv(b, inner, outputs, window(3, 1, 1));
      const auto shortcut = conv(b, v, outputs, window(1, 2, 0));
      v = b.plain(Kind::relu, b.add(Kind::add, {body, shortcut}, b.shape(body)));
    }
    const auto pooled = b.max_pool(v, 4, 1, false);
    b.last().kind = Kind::avg_pool2d;
    const auto flat = b.add(Kind::reshape, {pooled}, {numel(b.shape(pooled))});
    b.linear(flat, 10);
    check_plan(b, 9);
  }
}

TEST_CASE("bytes: separable convolutions, pools, branches joined, and what another layer reads in f32") {
  for (std::uint64_t seed = 5; seed <= 7; ++seed) {
    Builder b({3, 20, 18}, seed);
    const auto stem = b.plain(Kind::relu, conv(b, 0, 48, window(5, 2, 2)));
    const auto deep = b.plain(Kind::relu, conv(b, stem, 48, window(3, 1, 1), 48));
    const auto mixed = b.plain(Kind::relu, conv(b, deep, 64, window(1, 1, 0)));
    const auto joined = b.add(Kind::concat, {mixed, stem}, {112, 10, 9});
    const auto wide = conv(b, joined, 48, window(3, 1, 2, 2));
    const auto small = b.plain(Kind::relu, b.max_pool(wide, 2, 2, true));
    const auto row = b.add(Kind::reshape, {small}, {numel(b.shape(small))});
    const auto summed = b.max_pool(mixed, 9, 9, true);
    const auto other = b.add(Kind::reshape, {b.plain(Kind::softmax, summed)}, {numel(b.shape(summed))});
    b.add(Kind::concat, {b.linear(row, 9), b.linear(other, 4)}, {13});
    check_plan(b, 7);
  }
}

TEST_CASE("bytes: what was not finite before them has no answer") {
  Builder b({1, 12, 12}, 3);
  auto huge = 0;
  for (int i = 0; i < 2; ++i) {
    huge = b.plain(Kind::mul, huge);
    b.last().weight = Tensor::full({1}, 3e38F);
  }
  const auto v = b.plain(Kind::relu, conv(b, huge, 64, window(3, 1, 1)));
  const auto w = b.plain(Kind::relu, conv(b, v, 64, window(3, 1, 1)));
  b.linear(b.add(Kind::reshape, {w}, {64 * 144}), 3);
  for (const std::size_t i : {1, 2, 3, 4, 5}) b.graph.nodes[i].range = QuantParams{0.01F, 7};
  if (!has_vnni()) return;
  const Plan plan(b.graph, Isa::avx512_vnni);
  std::size_t on_bytes = 0;
  for (const StepInfo& step : plan.steps()) on_bytes += step.int8 ? 1 : 0;
  REQUIRE(on_bytes >= 2);
  Workspace workspace(plan);
  std::vector<float> pixels(2 * 144, 0.0F);
  pixels[150] = 1.0F;
  const Results results = plan.run(pixels.data(), 2, workspace);
  CHECK(results.labels[0] >= 0);
  CHECK(results.labels[1] == -1);
}

TEST_CASE("bytes: convolutions stay f32 where a range is not known or nothing is won") {
  if (!has_vnni()) return;
  Builder b({3, 12, 12}, 4);
  const auto v = b.plain(Kind::relu, conv(b, 0, 64, window(3, 1, 1)));
  conv(b, v, 64, window(3, 1, 1));
  b.graph.classifies = false;
  CHECK(nodes_on_bytes(b.graph, Isa::avx512_vnni) == std::vector<bool>{true, false, false});
  b.graph.nodes[1].range = QuantParams{};
  CHECK(nodes_on_bytes(b.graph, Isa::avx512_vnni) == std::vector<bool>{true, false, true});
  CHECK(nodes_on_bytes(b.graph, Isa::scalar) == std::vector<bool>{false, false, false});
  for (Node& node : b.graph.nodes) node.scales.clear();
  CHECK(nodes_on_bytes(b.graph, Isa::avx512_vnni) == std::vector<bool>{false, false, false});
}
