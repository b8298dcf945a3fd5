// tensor/cpu/kernels/winograd.h by the steps that run it, for shapes that the planner would do directly too.
#include "tensor/cpu/kernels/winograd.h"

#include "tests/runtime/conv_step.h"

using namespace cbnet;
using namespace cbnet::runtime;
using namespace cbnet::runtime::test;

namespace {

// Error allowed, relative to the sum of absolute products: some eps (1.2e-7) for a direct convolution,
// whatever its size (test_conv.cpp). Here points take sums of pixels with factors up to 5, and are weighed by
// up to 2 on their way out, so that what cancels is larger than the result by some factor below 10. This is
// five times the largest seen.
constexpr double kTolerance = 2e-6;

void check(const ConvCase& l) {
  for (const Isa isa : available_isas()) {
    const double worst = worst_error(l, isa, true);
    CHECK_MESSAGE(worst <= kTolerance, describe(l, isa) << ": " << worst << " of the sum of sizes");
  }
}

}  // namespace

TEST_CASE(
    "winograd: every width, kernel, padding and rounding, from and to planes with and without zeros around") {
  std::int64_t turn = 0, checked = 0;
  for (const std::int64_t kernel : {3, 5}) {
    for (std::int64_t padding = 0; padding < kernel; ++padding) {
      for (std::int64_t w = 1; w <= 40; ++w) {
        for (const auto pool : {ConvCase::floor, ConvCase::ceil}) {
          ++turn;
          ConvCase l{turn % 5 + 1, turn % 6 + 1, turn % 17 + 1, w, kernel, padding, pool, turn % 3 == 0};
          l.padded_input = turn / 2 % 2 == 0;
          l.padded_output = turn / 4 % 2 == 0;
          l.bias = turn % 7 != 0;
          l.h = std::max(l.h, l.least());
          if (l.w < l.least()) continue;
          check(l);
          ++checked;
        }
      }
    }
  }
  CHECK(checked > 600);
}

TEST_CASE("winograd: every number of channels, in and out") {
  for (std::int64_t channels = 1; channels <= 21; ++channels) {
    for (std::int64_t outputs = 1; outputs <= 21; ++outputs) {
      const std::int64_t turn = channels * 21 + outputs, kernel = turn % 2 == 0 ? 3 : 5;
      ConvCase l{channels, outputs, 6 + turn % 4, 6 + turn % 17, kernel, turn % kernel};
      l.pool = turn % 3 == 0 ? ConvCase::ceil : ConvCase::floor;
      l.relu = turn % 5 == 0;
      l.padded_input = turn % 7 == 0;
      l.padded_output = turn % 4 == 0;
      check(l);
    }
  }
}

TEST_CASE("winograd: only square kernels of 3 and 5 with 2x2 pooling behind them, where that is less work") {
  Builder b({5, 32, 32});
  const auto conv = b.conv(0, 10, 5, 2);
  b.max_pool(conv, 2, 2, true);
  const Node pool = b.last();
  const auto takes = [&](const Node& node, const Shape& input, const Node* behind) {
    bool any = false;
    for (const Isa isa : available_isas())
      any = any || is_winograd(kernels::kernel_table(isa), node, input, behind);
    return any;
  };
  const Node& node = b.graph.nodes[0];
  CHECK(takes(node, b.graph.input, &pool));
  CHECK_FALSE(takes(node, b.graph.input, nullptr));
  Node other = pool;
  other.window.stride = 1;
  CHECK_FALSE(takes(node, b.graph.input, &other));
  other = node;
  other.window.kernel_size = 7;
  CHECK_FALSE(takes(other, b.graph.input, &pool));
  other = node;
  other.window.kernel_size.h = 3;
  CHECK_FALSE(takes(other, b.graph.input, &pool));
  other = node;
  other.window.stride = 2;
  CHECK_FALSE(takes(other, b.graph.input, &pool));
}
