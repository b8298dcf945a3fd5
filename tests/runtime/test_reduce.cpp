#include "runtime/reduce.h"

#include <string>
#include <vector>

#include "runtime/plan.h"
#include "runtime/quantize.h"
#include "tests/runtime/graphs.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::runtime;
using namespace cbnet::runtime::test;

namespace {

/// A convolution that bytes make faster where there are instructions for them, and two linear layers, of
/// 20,480 and 200 weights.
Builder network() {
  Builder b({16, 8, 8});
  const auto rectified = b.plain(Kind::relu, b.conv(0, 64, 3, 1));
  const auto second = b.conv(rectified, 16, 3, 1);
  b.linear(b.linear(b.add(Kind::reshape, {second}, {1024}), 20), 10);
  b.graph.classifies = false;
  return b;
}

std::vector<float> outputs(const Graph& graph, const std::vector<float>& pixels, std::int64_t n) {
  const Plan plan(graph);
  Workspace workspace(plan);
  const std::span<const float> out = plan.run(pixels.data(), n, workspace).output;
  return {out.begin(), out.end()};
}

/// Ranges are those of 20 images of noise.
ReduceOptions options_for(Builder& b, std::int64_t min_weights, std::vector<std::string>& lines) {
  return {Precision::int8, min_weights,
          [pixels = b.pixels(20)](const Graph& graph, std::int32_t v) {
            return calibrate(outputs(up_to(graph, v), pixels, 20));
          },
          [&lines](const std::string& line) { lines.push_back(line); }};
}

}  // namespace

TEST_CASE("reduce: fp32 is no reduction, and int8 without ranges is refused") {
  Graph graph = network().graph;
  CHECK_THROWS_SAYING(reduce(graph, {Precision::fp32, 0, {}}), std::invalid_argument,
                      "expected int8 or bf16");
  CHECK_THROWS_SAYING(reduce(graph, {Precision::int8, 0, {}}), std::invalid_argument, "what bytes stand for");
}

TEST_CASE("reduce: large layers go into bytes, small ones stay, and each is spoken of") {
  Builder b = network();
  std::vector<std::string> lines;
  Graph graph = b.graph;
  reduce(graph, options_for(b, 10'000, lines));
  CHECK(graph.nodes[4].dense.precision == Precision::int8);
  CHECK(graph.nodes[5].dense.precision == Precision::fp32);
  REQUIRE(lines.size() == 4);
  CHECK(lines[2] == "n5: 20 x 1024 weights in int8");
  CHECK(lines[3] == "n6: linear stays fp32");
  const bool vnni = active_isa() == Isa::avx512_vnni;
  CHECK(graph.nodes[0].scales.empty() != vnni);
  CHECK(lines[0] == (vnni ? "n1: (64,16,3,3) weights in int8" : "n1: conv2d stays fp32"));
  graph = b.graph;
  reduce(graph, options_for(b, 1'000'000, lines));  // None is large: all of them go.
  CHECK(graph.nodes[5].dense.precision == Precision::int8);
}

TEST_CASE("reduce: answers stay near those of f32") {
  Builder b = network();
  std::vector<std::string> lines;
  Graph graph = b.graph;
  reduce(graph, options_for(b, 0, lines));
  std::vector<float> pixels = b.pixels(8);
  for (float& pixel : pixels) pixel = (pixel + 1) / 2;
  const std::vector<float> expected = outputs(b.graph, pixels, 8), found = outputs(graph, pixels, 8);
  float largest = 0, apart = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    apart = std::max(apart, std::abs(expected[i] - found[i]));
  }
  CHECK(apart < 0.05F * largest);
  CHECK(apart > 0.0F);
}

TEST_CASE("reduce: bf16 rounds linear layers and leaves convolutions") {
  Builder b = network();
  Graph graph = b.graph;
  reduce(graph, {Precision::bf16, 0, {}});
  CHECK(graph.nodes[4].dense.precision == Precision::bf16);
  CHECK(graph.nodes[0].scales.empty());
  CHECK_FALSE(graph.nodes[0].range);
}

TEST_CASE("reduce: the part that makes a value ends with its node") {
  const Graph graph = network().graph;
  CHECK(up_to(graph, 2).nodes.size() == 2);
  CHECK_FALSE(up_to(graph, 2).classifies);
}
