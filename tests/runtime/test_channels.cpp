// Convolutions and pools whose channels lie side by side: every kind of window alone, and networks of them.
#include <doctest/doctest.h>

#include <chrono>

#include "runtime/plan.h"
#include "runtime/planner.h"
#include "tests/runtime/conv_step.h"

using namespace cbnet;
using namespace cbnet::runtime;
using namespace cbnet::runtime::test;

namespace {

// Sums of f32 in another order than those of f64: the longest here has 40 * 25 products.
constexpr double kTolerance = 3e-6;

/// Returns one of 1, …, n.
std::int64_t any(Builder& b, std::int64_t n) {
  return 1 + static_cast<std::int64_t>(b.rng.uniform() * static_cast<double>(n));
}

/// Appends a convolution of any window; its groups are one, whole vectors of outputs or single channels.
std::int32_t any_conv(Builder& b, std::int32_t from, bool depthwise) {
  const Shape in = b.shape(from);
  Node node;
  node.kind = Kind::conv2d;
  node.name = "n" + std::to_string(b.graph.nodes.size() + 1);
  node.inputs = {from};
  node.window.kernel_size = {any(b, 5), any(b, 5)};
  node.window.stride = {any(b, 3), any(b, 3)};
  node.window.dilation = {any(b, 2), any(b, 2)};
  node.window.padding = {any(b, 3) - 1, any(b, 3) - 1, any(b, 3) - 1, any(b, 3) - 1};
  node.groups = depthwise ? in[0] : in[0] % 2 == 0 ? any(b, 2) : 1;
  const std::int64_t outputs = depthwise          ? in[0]
                               : node.groups == 1 ? any(b, 70)
                                                  : 32 * node.groups * any(b, 2);
  node.shape = window_shape("test", in, outputs, node.window);
  const Shape weights = {outputs, in[0] / node.groups, node.window.kernel_size.h, node.window.kernel_size.w};
  node.weight = Tensor::uniform(weights, -1, 1, b.rng);
  if (any(b, 4) > 1) node.bias = Tensor::uniform({outputs}, -1, 1, b.rng);
  b.graph.nodes.push_back(node);
  return static_cast<std::int32_t>(b.graph.nodes.size());
}

/// This is an image in a layout: zeros around it, NaN where nobody may look.
struct Image {
  Image(const Layout& given, const float* planes) : layout(given), elements(given.image(), NAN) {
    zero_border(layout, elements.data());
    for (std::int64_t c = 0; c < layout.c; ++c) {
      for (std::int64_t p = 0; p < layout.h * layout.w; ++p)
        elements.data()[place(c, p)] = planes == nullptr ? 0.0F : *planes++;
    }
  }
  std::int64_t place(std::int64_t c, std::int64_t p) const {
    return (layout.first() + p / layout.w * layout.row() + p % layout.w) * layout.pitch + c;
  }
  Layout layout;
  Elements elements;
};

/// A step is tried alone with these.
struct Trial {
  bool tight = false;    // no gaps between the pixels of the input, where the planner would leave none
  bool clamped = false;  // bounds
  bool added = false;    // an addend, where the step takes one
};
struct Outcome {
  double worst = 0;  // error relative to the sum of absolute products; infinite where a border is no zero
  bool winograd = false;
};

/// Runs the step of the last node alone, every image in an allocation of exactly its size.
Outcome outcome_of(Builder& b, const std::vector<float>& pixels, Isa isa, const Trial& trial) {
  const Node& node = b.graph.nodes.back();
  const kernels::KernelTable& table = kernels::kernel_table(isa);
  Layout from = channels_layout(b.graph.input, table.conv.lanes),
         to = channels_layout(node.shape, table.conv.lanes);
  if (node.kind == Kind::conv2d) add_border(from, node);
  if (trial.tight && takes_addend(node) && from.c < table.conv.lanes) from.pitch = from.c;
  Layout addend = to;
  to.pad_h = 2, to.pad_w = 1, addend.pad_w = 3;
  const ChannelsTail tail = trial.clamped ? ChannelsTail{-0.5F, 0.75F} : ChannelsTail{};
  std::vector<Operand> operands = {{0, from}};
  const bool added = trial.added && takes_addend(node);
  if (added) operands.push_back({2, addend});
  std::vector<float> more(static_cast<std::size_t>(numel(node.shape)));
  for (float& number : more) number = b.number();
  const StepPtr step = make_channels_step(table, node, tail, operands, {1, to});
  const Elements scratch(step->scratch_bytes(1) / 4 + 1, NAN);
  const Image in(from, pixels.data()), out(to, nullptr), add(addend, more.data());
  const auto place = [&](const Image& image) {
    return static_cast<std::size_t>(reinterpret_cast<std::byte*>(image.elements.data()) -
                                    reinterpret_cast<std::byte*>(in.elements.data()));
  };
  const Slot slots[] = {{0, 0}, {place(out), 0}, {place(add), 0}};
  Frame frame;
  frame.arena = reinterpret_cast<std::byte*>(in.elements.data());
  frame.slots = slots;
  frame.scratch = reinterpret_cast<std::byte*>(scratch.data());
  frame.n = 1;
  step->run(frame);
  const Values want = naive_output(b.graph, pixels.data());
  const Values allowed = naive_output(sizes_of(b.graph), sizes_of(pixels).data());
  Outcome outcome{0, step->winograd};
  for (std::size_t i = 0; i < want.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i), plane = to.h * to.w;
    double expected = want[i] + (added ? static_cast<double>(more[i]) : 0.0);
    if (trial.clamped) expected = std::clamp(expected, -0.5, 0.75);
    const double got = static_cast<double>(out.elements.data()[out.place(at / plane, at % plane)]);
    const double error = std::fabs(got - expected) / (allowed[i] + (added ? 1 : 1e-30));
    if (!(error <= outcome.worst)) outcome.worst = error;  // a NaN is the worst
  }
  for (std::int64_t p = 0; p < to.plane() + to.pad_w; ++p) {
    const std::int64_t row = p / to.row() - to.pad_h, column = p % to.row() - to.pad_w;
    if (row >= 0 && row < to.h && column >= 0) continue;
    for (std::int64_t c = 0; c < to.pitch; ++c)
      if (out.elements.data()[p * to.pitch + c] != 0.0F) outcome.worst = HUGE_VAL;
  }
  return outcome;
}

/// Compares the plan's answer to two images on every ISA with the loop nests'.
void check_plan(Builder& b) {
  b.graph.classifies = false;
  const std::vector<float> pixels = b.pixels(2);
  const Values want = naive_outputs(b.graph, pixels);
  double size = 0;
  for (const double y : want) size = std::max(size, std::fabs(y));
  for (const Isa isa : available_isas()) {
    const Plan plan(b.graph, isa);
    Workspace workspace(plan);
    const std::span<const float> got = plan.run(pixels.data(), 2, workspace).output;
    REQUIRE(got.size() == want.size());
    double worst = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      const double error = std::fabs(static_cast<double>(got[i]) - want[i]) / size;
      if (!(error <= worst)) worst = error;
    }
    CHECK_MESSAGE(worst <= 1e-5, to_string(isa) << ": " << worst << " of the largest");
  }
}

/// Returns the steps of a schedule, by the names of their layers.
std::string steps_of(const Graph& graph) {
  std::string out;
  for (const StepPtr& step : make_schedule(graph, available_isas().back()).steps)
    out += (out.empty() ? "" : " | ") + step->name;
  return out;
}

std::int32_t strided(Builder& b, std::int32_t from, std::int64_t outputs, std::int64_t stride) {
  const std::int32_t made = b.conv(from, outputs, 3, 1);
  Node& node = b.last();
  node.window.stride = stride;
  node.shape = window_shape("test", b.shape(from), outputs, node.window);
  return made;
}

std::int32_t depthwise(Builder& b, std::int32_t from, std::int64_t stride) {
  const std::int64_t channels = b.shape(from)[0];
  const std::int32_t made = strided(b, from, channels, stride);
  b.last().groups = channels;
  b.last().weight = Tensor::uniform({channels, 1, 3, 3}, -1, 1, b.rng);
  return made;
}

std::int32_t average(Builder& b, std::int32_t from, std::int64_t kernel) {
  const std::int32_t made = b.max_pool(from, kernel, 1, false);
  b.last().kind = Kind::avg_pool2d;
  return made;
}

}  // namespace

TEST_CASE("channels: windows of any kernel, stride, dilation, padding and groups, alone") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    Builder b({0, 0, 0}, seed);
    b.graph.input = {any(b, 40), 9 + any(b, 9), 9 + any(b, 9)};
    any_conv(b, 0, seed % 4 == 0);
    const std::vector<float> pixels = b.pixels(1);
    for (const Isa isa : available_isas()) {
      const double worst = outcome_of(b, pixels, isa, {seed % 3 == 0, seed % 5 == 0, seed % 2 == 0}).worst;
      CHECK_MESSAGE(worst <= kTolerance, "seed " << seed << ", " << to_string(isa) << ": " << worst);
    }
  }
}

TEST_CASE("channels: pools of any window, alone") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Builder b({0, 0, 0}, seed);
    b.graph.input = {any(b, 40), 5 + any(b, 9), 5 + any(b, 9)};
    const std::int64_t kernel = any(b, 4);
    b.max_pool(0, kernel, any(b, 3), seed % 2 == 0, std::min(kernel / 2, any(b, 3) - 1));
    if (seed % 3 != 0) {
      b.last().kind = Kind::avg_pool2d;
      b.last().count_include_pad = seed % 3 == 1;
    }
    const std::vector<float> pixels = b.pixels(1);
    for (const Isa isa : available_isas()) {
      const double worst = outcome_of(b, pixels, isa, {.clamped = false}).worst;
      CHECK_MESSAGE(worst <= kTolerance, "seed " << seed << ", " << to_string(isa) << ": " << worst);
    }
  }
}

TEST_CASE("channels: a residual block is a step for each convolution") {
  Builder b({3, 16, 16});
  const auto stem = b.plain(Kind::relu, strided(b, 0, 24, 2));
  const auto inner = strided(b, b.plain(Kind::relu, strided(b, stem, 40, 2)), 40, 1);
  const auto shortcut = strided(b, stem, 40, 2);
  const auto joined = b.plain(Kind::relu, b.add(Kind::add, {inner, shortcut}, {40, 4, 4}));
  average(b, joined, 4);
  if (available_isas().back() == Isa::scalar) return;
  CHECK(steps_of(b.graph) ==
        "pixels | n1 conv2d, n2 relu | n3 conv2d, n4 relu | n5 conv2d | n6 conv2d, n7 add, n8 relu | "
        "n9 avg_pool2d | copy");
  check_plan(b);
}

TEST_CASE("channels: separable convolutions with bounds, a gate per channel, and branches joined") {
  Builder b({3, 17, 15}, 2);
  const auto stem = b.plain(Kind::relu, strided(b, 0, 20, 2));
  auto separable = b.plain(Kind::relu, depthwise(b, stem, 1));
  separable = b.add(Kind::pointwise, {separable}, b.shape(separable), 1.5);
  b.last().function = Pointwise::clamp_max;
  const auto mixed = b.conv(separable, 20, 1, 0);
  auto gate = average(b, mixed, 8);  // (20,2,1)
  gate = b.max_pool(gate, 1, 2, false);
  gate = b.plain(Kind::sigmoid, b.conv(gate, 20, 1, 0));
  REQUIRE(b.shape(gate) == Shape{20, 1, 1});
  const auto gated = b.add(Kind::mul, {mixed, gate}, b.shape(mixed));
  const auto swapped = b.add(Kind::add, {gate, gated}, b.shape(mixed));
  const auto both = b.add(Kind::concat, {swapped, stem}, {40, 9, 8});
  const auto normed = b.plain(Kind::leaky_relu, b.affine(both), 0.1);
  const auto small = b.max_pool(strided(b, normed, 33, 2), 2, 2, true);
  const std::int64_t size = numel(b.shape(small));
  b.linear(b.add(Kind::reshape, {small}, {size}), 7);
  check_plan(b);
}

TEST_CASE("channels: what another layer reads too, and a value added to itself") {
  Builder b({2, 12, 12}, 3);
  const auto first = strided(b, 0, 18, 2);
  const auto doubled = b.add(Kind::add, {first, first}, b.shape(first));
  const auto active = b.plain(Kind::relu, first);
  const auto sum = b.add(Kind::add, {strided(b, active, 18, 1), doubled}, b.shape(first));
  const auto turned = b.add(Kind::transpose, {sum}, {6, 18, 6});
  b.last().axes = {1, 0, 2};
  b.add(Kind::add, {turned, b.add(Kind::reshape, {active}, {6, 18, 6})}, {6, 18, 6});
  check_plan(b);
}

TEST_CASE("channels: 3x3 of stride 1 by Winograd where that is less work, at every size and edge") {
  std::int64_t by_winograd = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Builder b({0, 0, 0}, seed);
    b.graph.input = {30 + any(b, 40), 2 + any(b, 9), 2 + any(b, 9)};
    b.conv(0, 30 + any(b, 40), 3, 1);
    Node& node = b.last();
    node.window.padding = {any(b, 3) - 1, any(b, 3) - 1, any(b, 3) - 1, any(b, 3) - 1};
    const Padding2d& padding = node.window.padding;
    if (b.graph.input[1] + padding.top + padding.bottom < 3 ||
        b.graph.input[2] + padding.left + padding.right < 3)
      continue;
    node.shape = window_shape("test", b.graph.input, node.shape[0], node.window);
    const std::vector<float> pixels = b.pixels(1);
    for (const Isa isa : available_isas()) {
      const Outcome outcome = outcome_of(b, pixels, isa, {.clamped = seed % 5 == 0, .added = seed % 2 == 0});
      by_winograd += outcome.winograd ? 1 : 0;
      CHECK_MESSAGE(outcome.worst <= kTolerance,
                    "seed " << seed << ", " << to_string(isa) << ": " << outcome.worst);
    }
  }
  CHECK(by_winograd >= 40);
}

TEST_CASE("channels: behind an exit, with borders and a sum over both segments") {
  Builder b({3, 12, 12}, 5);
  const auto stem = b.plain(Kind::relu, strided(b, 0, 24, 2));
  const auto shrunk = b.max_pool(stem, 6, 6, false);
  const auto early = b.linear(b.add(Kind::reshape, {shrunk}, {24}), 3);
  const auto inner = strided(b, stem, 24, 1);
  const auto joined = b.plain(Kind::relu, b.add(Kind::add, {inner, stem}, b.shape(stem)));
  b.linear(b.add(Kind::reshape, {b.max_pool(joined, 6, 6, false)}, {24}), 3);
  b.graph.exits.push_back({early, 0.3});
  constexpr std::int64_t kImages = 23;
  const std::vector<float> pixels = b.pixels(kImages);
  for (const Isa isa : available_isas()) {
    const Plan plan(b.graph, isa);
    Workspace together(plan), alone(plan);
    const Results all = plan.run(pixels.data(), kImages, together);
    std::int64_t late = 0;
    for (std::int64_t i = 0; i < kImages; ++i) {
      const Results one = plan.run(pixels.data() + i * numel(b.graph.input), 1, alone);
      const auto at = static_cast<std::size_t>(i);
      CHECK(one.exit[0] == all.exit[at]);
      CHECK(one.labels[0] == all.labels[at]);
      for (std::size_t c = 0; c < 3; ++c)
        CHECK(one.probabilities[c] == doctest::Approx(all.probabilities[at * 3 + c]).epsilon(1e-4));
      late += one.exit[0];
    }
    CHECK(late > 0);
    CHECK(late < kImages);
  }
}

TEST_CASE("channels: where whole vectors of channels do not fit the arena, planes do") {
  Builder b({3, 1500, 1500}, 6);
  depthwise(b, 0, 1);
  b.graph.classifies = false;
  for (const Isa isa : available_isas()) CHECK(fits_arena(make_schedule(b.graph, isa)));
}

TEST_CASE("channels: windows whose columns would not fit the arena") {
  if (available_isas().back() == Isa::scalar) return;
  Builder b({256, 160, 160}, 8);
  b.conv(0, 4, 7, 3);
  b.last().window.stride = 2;
  b.last().shape = {4, 80, 80};  // 256 * 49 * 6400 columns of f32 are 321 MB
  b.graph.classifies = false;
  CHECK(fits_arena(make_schedule(b.graph, available_isas().back())));
}

TEST_CASE("channels: one value may have many readers") {
  Builder b({1, 4, 4}, 7);
  std::int32_t sum = 0;
  for (int i = 0; i < 200; ++i) {
    const auto many = b.add(Kind::concat, std::vector<std::int32_t>(1000, 0), {1000, 4, 4});
    const auto one = b.conv(many, 1, 1, 0);
    sum = i == 0 ? one : b.add(Kind::add, {sum, one}, {1, 4, 4});
  }
  b.graph.classifies = false;
  const auto start = std::chrono::steady_clock::now();
  make_schedule(b.graph, available_isas().back());
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}
