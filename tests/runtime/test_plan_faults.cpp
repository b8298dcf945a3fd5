// What a plan does with numbers that are not finite, with what was moved from, and with a changing number of
// threads.

#include "runtime/plan.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "tensor/parallel.h"
#include "tests/runtime/graphs.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::runtime;
using namespace cbnet::runtime::test;

namespace {

/// Overflows in its first layer: inf, and behind the second NaN.
std::int32_t overflow(Builder& b) {
  const auto first = b.conv(0, 2, 1, 0);
  b.last().weight = Tensor::full({2, 1, 1, 1}, 3e38);
  const auto made = b.conv(first, 2, 1, 0);
  const std::vector<float> opposite = {1, -1, 1e-38F, -1e-38F};
  b.last().weight = Tensor::from(opposite, {2, 2, 1, 1});
  return made;
}

/// Images 0 and 2 of three are too bright for the first layer, image 1 is not.
void check_not_finite(const Graph& graph) {
  const std::int64_t size = numel(graph.input);
  std::vector<float> pixels(static_cast<std::size_t>(3 * size), 10.0F);
  std::fill_n(pixels.begin() + size, size, 1e-3F);
  for (const Isa isa : available_isas()) {
    const Plan plan(graph, isa);
    Workspace workspace(plan);
    const Results got = plan.run(pixels.data(), 3, workspace);
    CHECK(got.labels[0] == -1);
    CHECK(got.labels[1] >= 0);
    CHECK(got.labels[2] == -1);
    CHECK(std::isnan(got.entropy[0]));
    CHECK(std::isfinite(got.entropy[1]));
    for (std::size_t i = 0; i < 3; ++i) CHECK(std::isnan(got.probabilities[i]));
    for (std::size_t i = 3; i < 6; ++i) CHECK(std::isfinite(got.probabilities[i]));
  }
}

}  // namespace

TEST_CASE("plan: what is not finite is no answer, behind every layout of every layer") {
  for (const bool pool : {false, true}) {
    for (const Kind kind : {Kind::relu, Kind::leaky_relu, Kind::sigmoid, Kind::tanh}) {
      for (const std::int64_t kernel : {1, 3, 5}) {
        for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::int8}) {
          Builder b({1, 8, 8});
          auto at = b.conv(overflow(b), 8, kernel, kernel / 2);
          if (pool) at = b.max_pool(at, 2, 2, true);
          at = b.plain(kind, at);
          at = b.add(Kind::reshape, {at}, {numel(b.shape(at))});
          at = b.plain(kind, b.linear(at, 9, precision));
          b.linear(at, 3, precision);
          check_not_finite(b.graph);
        }
      }
    }
  }
}

TEST_CASE("plan: what was moved from says so") {
  Builder b({4});
  b.linear(0, 3);
  Plan plan(b.graph);
  Workspace workspace(plan);
  const std::uint8_t pixels[4] = {};
  Workspace other = std::move(workspace);
  const char* const no_workspace = "[workspace] this workspace was moved from";
  CHECK_THROWS_SAYING(plan.run(pixels, 1, workspace), std::invalid_argument, no_workspace);
  CHECK_THROWS_SAYING(plan.run_step(0, 1, workspace), std::invalid_argument, no_workspace);
  CHECK_THROWS_SAYING(plan.fill_step(0, 1, workspace), std::invalid_argument, no_workspace);
  CHECK(plan.run(pixels, 1, other).labels.size() == 1);
  const Plan moved = std::move(plan);
  const char* const no_plan = "[plan] this plan was moved from";
  CHECK_THROWS_SAYING(plan.run(pixels, 1, other), std::invalid_argument, no_plan);
  CHECK_THROWS_SAYING(Workspace{plan}, std::invalid_argument, no_plan);
  CHECK_THROWS_SAYING(plan.graph(), std::invalid_argument, no_plan);
  CHECK_THROWS_SAYING(plan.isa(), std::invalid_argument, no_plan);
  CHECK_THROWS_SAYING(plan.steps(), std::invalid_argument, no_plan);
  CHECK_THROWS_SAYING(plan.tile_images(), std::invalid_argument, no_plan);
  CHECK_THROWS_SAYING(plan.arena_bytes(), std::invalid_argument, no_plan);
  CHECK_THROWS_SAYING(plan.weight_bytes(), std::invalid_argument, no_plan);
  CHECK_THROWS_SAYING(plan.macs_by_exit(), std::invalid_argument, no_plan);
  CHECK(moved.run(pixels, 1, other).labels.size() == 1);
}

TEST_CASE("plan: more images than memory can hold and null pixels are refused") {
  Builder b({4});
  b.linear(0, 3);
  const Plan plan(b.graph);
  Workspace workspace(plan);
  const std::vector<float> pixels(4);
  for (const int power : {60, 61, 62})
    CHECK_THROWS_SAYING(plan.run(pixels.data(), std::int64_t{1} << power, workspace), std::invalid_argument,
                        "memory can hold at most");
  CHECK_THROWS_SAYING(plan.run(pixels.data(), std::numeric_limits<std::int64_t>::max(), workspace),
                      std::invalid_argument, "memory can hold at most");
  CHECK_THROWS_SAYING(plan.run(static_cast<const float*>(nullptr), 1, workspace), std::invalid_argument,
                      "must not be null");
}

TEST_CASE("plan: another thread may change the number of threads during a call") {
  const int before = num_threads();
  Builder b({4});
  b.linear(0, 3);
  const Plan plan(b.graph);
  std::atomic<bool> stop = false;
  std::thread changer([&] {
    for (int i = 0; !stop; ++i) set_num_threads(i % 2 == 0 ? 1 : 8);
  });
  const std::vector<std::uint8_t> pixels(4 * 2048, 1);
  for (int call = 0; call < 2000; ++call) {
    Workspace workspace(plan);
    CHECK(plan.run(pixels.data(), 2048, workspace).labels.size() == 2048);
  }
  stop = true;
  changer.join();
  set_num_threads(before);
}

TEST_CASE("plan: weights too small to matter take no longer than others, and give what zeros give") {
  constexpr std::int64_t kIn = 400, kOut = 200;
  const std::vector<std::uint8_t> pixels(kIn, 3);
  // Weight decay takes weights there: their products with pixels and with one another are subnormal.
  const auto graph_of = [&](float weight) {
    Builder b({kIn});
    b.linear(b.plain(Kind::relu, b.linear(0, kOut)), kOut);
    b.graph.classifies = false;
    for (Node& node : b.graph.nodes) {
      for (std::size_t i = 0; i < node.dense.fp32.size(); i += 2) node.dense.fp32[i] = weight;
    }
    return b.graph;
  };
  struct Run {
    double seconds;
    std::vector<float> output;
  };
  const auto run = [&](float weight) {
    const Plan plan(graph_of(weight));
    Workspace workspace(plan);
    Run best{1e9, {}};
    for (int block = 0; block < 20; ++block) {
      const auto begin = std::chrono::steady_clock::now();
      for (int call = 0; call < 20; ++call) {
        const Results results = plan.run(pixels.data(), 1, workspace);
        best.output.assign(results.output.begin(), results.output.end());
      }
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      best.seconds = std::min(best.seconds, took.count());
    }
    return best;
  };
  const Run normal = run(0.01F), zero = run(0.0F);
  for (const float tiny : {1e-37F, 1e-39F, 1e-42F}) {
    const Run small = run(tiny);
    CHECK(small.seconds < 2.5 * normal.seconds);
    for (std::size_t i = 0; i < zero.output.size(); ++i)
      CHECK(small.output[i] == doctest::Approx(zero.output[i]).epsilon(1e-6));
  }
}
