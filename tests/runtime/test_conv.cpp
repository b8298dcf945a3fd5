#include "tensor/cpu/kernels/fused_conv2d.h"

#include "runtime/plan.h"
#include "tests/runtime/conv_step.h"

using namespace cbnet;
using namespace cbnet::runtime;
using namespace cbnet::runtime::test;

namespace {

// Error allowed, relative to the sum of absolute products. With signs at random, partial sums of n products
// stay about sqrt(n) below that, and so do n roundings of them, each eps / 2 (6e-8): some eps in all,
// whatever n is. This is four times the largest seen; by minimal filtering, which the planner may choose,
// that of tests/runtime/test_winograd.cpp.
constexpr double kTolerance = 1e-6, kPlanTolerance = 2e-6;

void check(const ConvCase& l) {
  for (const Isa isa : available_isas()) {
    const double worst = worst_error(l, isa, false);
    CHECK_MESSAGE(worst <= kTolerance, describe(l, isa) << ": " << worst << " of the sum of sizes");
  }
}

constexpr decltype(ConvCase::pool) kPools[] = {ConvCase::none, ConvCase::floor, ConvCase::ceil};

/// The same through a plan, two images at a time, in whichever way the planner takes.
void check_plan(const ConvCase& l) {
  Builder b({l.channels, l.h, l.w}, static_cast<std::uint64_t>(l.w * 97 + l.channels));
  auto made = b.conv(0, l.outputs, l.kernel, l.padding, l.bias);
  if (l.pool != ConvCase::none) made = b.max_pool(made, 2, 2, l.pool == ConvCase::ceil);
  if (l.relu) made = b.plain(Kind::relu, made);
  b.graph.classifies = false;
  const std::vector<float> pixels = b.pixels(2), sizes = sizes_of(pixels);
  const Values want = naive_outputs(b.graph, pixels), allowed = naive_outputs(sizes_of(b.graph), sizes);
  for (const Isa isa : available_isas()) {
    const Plan plan(b.graph, isa);
    Workspace workspace(plan);
    const std::span<const float> got = plan.run(pixels.data(), 2, workspace).output;
    REQUIRE(got.size() == want.size());
    double worst = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      const double error = std::fabs(static_cast<double>(got[i]) - want[i]) / (allowed[i] + 1e-30);
      if (!(error <= worst)) worst = error;  // a NaN is the worst
    }
    CHECK_MESSAGE(worst <= kPlanTolerance, describe(l, isa) << ": " << worst << " of the sum of sizes");
  }
}

}  // namespace

TEST_CASE("conv: every width, odd and even, kernel and padding") {
  std::int64_t turn = 0, checked = 0;
  for (const std::int64_t kernel : {1, 3, 5, 7}) {
    for (std::int64_t padding = 0; padding < kernel; ++padding) {
      for (std::int64_t w = 1; w <= 40; ++w) {
        ++turn;
        ConvCase l{turn % 4 + 1, turn % 7 + 1, turn % 17 + 1,    w,
                   kernel,       padding,      kPools[turn % 3], turn % 2 == 0};
        l.bias = turn % 5 != 0;
        l.padded_output = turn / 2 % 2 == 0;
        l.h = std::max(l.h, l.least());
        if (l.w < l.least()) continue;
        check(l);
        ++checked;
      }
    }
  }
  CHECK(checked > 600);
}

TEST_CASE("conv: every number of channels, in and out, alone and in a plan") {
  for (std::int64_t channels = 1; channels <= 21; ++channels) {
    for (std::int64_t outputs = 1; outputs <= 21; ++outputs) {
      const std::int64_t turn = channels * 21 + outputs, kernel = 1 + 2 * (turn % 4);
      ConvCase l{channels, outputs, 3 + turn % 5, 5 + turn % 13, kernel, turn % kernel};
      l.pool = kPools[turn / 3 % 3];
      l.relu = turn % 2 == 0;
      l.padded_output = turn % 3 == 0;
      l.h = std::max(l.h, l.least());
      l.w = std::max(l.w, l.least());
      check(l);
      check_plan(l);
    }
  }
}

TEST_CASE("conv: kernels that are not square, far wider than their input, or with the widest padding") {
  check({1, 2, 40, 40, 21, 16});
  check({1, 2, 4, 4, 21, 16, ConvCase::ceil});
  check_plan({2, 3, 30, 30, 20, 19});  // beyond what fused_conv2d.h has: a plain step
  for (const auto& [kernel_h, kernel_w] : {std::pair<std::int64_t, std::int64_t>{3, 5}, {1, 4}, {6, 2}}) {
    Builder b({3, 9, 11});
    b.conv(0, 4, 1, 0);
    Node& node = b.last();
    node.window.kernel_size.h = kernel_h;
    node.window.kernel_size.w = kernel_w;
    node.weight = Tensor::uniform({4, 3, kernel_h, kernel_w}, -1, 1, b.rng);
    node.shape = {4, 10 - kernel_h, 12 - kernel_w};
    b.graph.classifies = false;
    const std::vector<float> pixels = b.pixels(1);
    const Values want = naive_output(b.graph, pixels.data());
    for (const Isa isa : available_isas()) {
      const Plan plan(b.graph, isa);
      Workspace workspace(plan);
      const auto got = plan.run(pixels.data(), 1, workspace).output;
      for (std::size_t i = 0; i < want.size(); ++i)
        CHECK(got[i] == doctest::Approx(want[i]).epsilon(1e-5).scale(10));
    }
  }
}

TEST_CASE("conv: bytes are divided by 255, correctly rounded, at every width") {
  for (std::int64_t w = 1; w <= 40; ++w) {
    Builder b({2, 3, w});
    b.conv(0, 2, 1, 0, false);
    b.last().weight = Tensor::from<float>({1, 0, 0, 1}, {2, 2, 1, 1});  // what was read
    b.graph.classifies = false;
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(6 * w));
    for (std::size_t i = 0; i < pixels.size(); ++i)
      pixels[i] = static_cast<std::uint8_t>(i * 37 + static_cast<std::size_t>(w));
    for (const Isa isa : available_isas()) {
      const Plan plan(b.graph, isa);
      Workspace workspace(plan);
      const auto got = plan.run(pixels.data(), 1, workspace).output;
      bool same = true;
      for (std::size_t i = 0; i < pixels.size(); ++i)
        same = same && got[i] == static_cast<float>(pixels[i]) / 255.0F;
      CHECK_MESSAGE(same, to_string(isa) << ", width " << w);
    }
  }
}
