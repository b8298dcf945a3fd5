// What fold() of runtime/graph.h makes of layers, and what it leaves alone.
#include <chrono>

#include "tests/runtime/graphs.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::runtime;
using namespace cbnet::runtime::test;

namespace {

std::vector<Kind> kinds(const Graph& graph) {
  std::vector<Kind> out;
  for (const Node& node : graph.nodes) out.push_back(node.kind);
  return out;
}

/// The folded graph, after a check that it computes what the graph does. Weights are rounded to f32 once
/// more: 1e-6 of the sums of absolute products, which stay below 1e4 here.
Graph folded(Builder& b) {
  Graph out = fold(b.graph);
  const std::vector<float> pixels = b.pixels(1);
  const std::vector<Values> before = all_values(b.graph, pixels.data()),
                            after = all_values(out, pixels.data());
  const auto close = [](const Values& want, const Values& got) {
    REQUIRE(want.size() == got.size());
    double worst = 0;
    for (std::size_t i = 0; i < want.size(); ++i) worst = std::max(worst, std::fabs(want[i] - got[i]));
    CHECK(worst < 1e-2);
    CHECK(std::any_of(want.begin(), want.end(), [](double v) { return std::fabs(v) > 0.1; }));
  };
  close(before.back(), after.back());
  REQUIRE(out.exits.size() == b.graph.exits.size());
  for (std::size_t e = 0; e < out.exits.size(); ++e) {
    CHECK(out.exits[e].threshold == b.graph.exits[e].threshold);
    close(before[static_cast<std::size_t>(b.graph.exits[e].logits)],
          after[static_cast<std::size_t>(out.exits[e].logits)]);
  }
  return out;
}

using enum Kind;

}  // namespace

TEST_CASE("fold: a graph that check() refuses is refused") {
  Builder b({4});
  b.linear(0, 3);
  b.graph.nodes[0].dense.fp32.pop_back();
  CHECK_THROWS_SAYING(fold(b.graph), std::invalid_argument, "[graph] n1 (linear)");
}

TEST_CASE("fold: a factor and a summand a channel go into the layer before") {
  for (const bool bias : {false, true}) {
    Builder b({2, 5, 5});
    const auto conv = b.affine(b.affine(b.conv(0, 3, 3, 1, bias)));
    b.affine(b.linear(b.add(reshape, {conv}, {75}), 4, Precision::fp32, bias));
    const Tensor before = b.graph.nodes[0].weight.clone();
    const Graph out = folded(b);
    CHECK(kinds(out) == std::vector<Kind>{conv2d, reshape, Kind::linear});
    CHECK(out.nodes[2].inputs == std::vector<std::int32_t>{2});
    CHECK(b.graph.nodes[0].weight.to_vector<float>() ==
          before.to_vector<float>());  // its own weights are copies
  }
}

TEST_CASE("fold: an affine layer stays where its input has another reader, no maker or quantized weights") {
  Builder shared({2, 5, 5});
  const auto conv = shared.conv(0, 3, 3, 1);
  shared.add(Kind::add, {shared.affine(conv), conv}, {3, 5, 5});
  shared.graph.classifies = false;
  CHECK(folded(shared).nodes.size() == 3);

  Builder first({3});
  first.linear(first.affine(0), 2);
  CHECK(folded(first).nodes.size() == 2);

  for (const Precision precision : {Precision::bf16, Precision::int8}) {
    Builder narrow({3});
    narrow.affine(narrow.linear(0, 2, precision));
    CHECK(folded(narrow).nodes.size() == 2);
  }
  Builder sparse({3});
  sparse.affine(sparse.linear(0, 2));
  sparse.graph.nodes[0].dense.mask = {16, 1, {1, 0, 1}};
  CHECK(folded(sparse).nodes.size() == 2);

  Builder exit({3});  // the exit reads what stands before the factor
  const auto logits = exit.linear(0, 2);
  exit.affine(logits);
  exit.graph.exits = {{logits, 0.3}};
  CHECK(folded(exit).nodes.size() == 2);
}

TEST_CASE("fold: two linear layers become one where that is less work") {
  for (const bool first_bias : {false, true}) {
    for (const bool second_bias : {false, true}) {
      Builder b({20});
      b.linear(b.linear(0, 15, Precision::fp32, first_bias), 6, Precision::fp32, second_bias);
      const Graph out = folded(b);  // 20 * 6 < 20 * 15 + 15 * 6
      REQUIRE(kinds(out) == std::vector<Kind>{Kind::linear});
      CHECK(out.nodes[0].name == "n1+n2");
      CHECK(node_macs(out, out.nodes[0]) == 120);
      CHECK(out.nodes[0].dense.bias.empty() == (!first_bias && !second_bias));
    }
  }
  Builder narrow({20});
  narrow.linear(narrow.linear(0, 4), 20);  // 400 is more than 160
  CHECK(folded(narrow).nodes.size() == 2);
  Builder even({4});
  even.linear(even.linear(0, 2), 4);  // 16 either way: one rounding less if it stays
  CHECK(folded(even).nodes.size() == 2);
  Builder three({20});
  three.linear(three.linear(three.linear(0, 15), 12), 6);
  CHECK(folded(three).nodes.size() == 1);
  Builder active({20});
  active.linear(active.plain(relu, active.linear(0, 15)), 6);
  CHECK(folded(active).nodes.size() == 3);
  Builder narrow_bits({20});
  narrow_bits.linear(narrow_bits.linear(0, 15, Precision::bf16), 6);
  CHECK(folded(narrow_bits).nodes.size() == 2);
}

TEST_CASE("fold: max-pooling goes before ReLU, but not with padding, and average-pooling does not") {
  Builder b({2, 6, 6});
  b.max_pool(b.plain(relu, b.conv(0, 3, 3, 1)), 2, 2, false);
  b.graph.classifies = false;
  const Graph out = folded(b);
  CHECK(kinds(out) == std::vector<Kind>{conv2d, max_pool2d, relu});
  CHECK(out.nodes[1].shape == Shape{3, 3, 3});
  CHECK(out.nodes[2].shape == Shape{3, 3, 3});

  Builder padded({2, 6, 6});
  padded.max_pool(padded.plain(relu, padded.conv(0, 3, 3, 1)), 3, 2, false, 1);
  padded.graph.classifies = false;
  CHECK(kinds(folded(padded)) == std::vector<Kind>{conv2d, relu, max_pool2d});

  Builder average({2, 6, 6});
  average.max_pool(average.plain(relu, average.conv(0, 3, 3, 1)), 2, 2, false);
  average.graph.nodes[2].kind = avg_pool2d;
  average.graph.classifies = false;
  CHECK(kinds(folded(average)) == std::vector<Kind>{conv2d, relu, avg_pool2d});

  Builder shared({2, 6, 6});
  const auto active = shared.plain(relu, shared.conv(0, 3, 3, 1));
  const auto pooled = shared.max_pool(active, 2, 2, false);
  const auto flat = shared.add(reshape, {active}, {108});
  shared.add(Kind::concat, {flat, shared.add(reshape, {pooled}, {27})}, {135});
  CHECK(folded(shared).nodes[1].kind == relu);
}

TEST_CASE("fold: shapes that change nothing go, but for the last") {
  Builder b({6});
  const auto same = b.add(reshape, {0}, {6});
  b.add(reshape, {b.linear(b.add(reshape, {b.linear(same, 2)}, {2}), 6)}, {6});
  const Graph out = folded(b);
  CHECK(kinds(out) == std::vector<Kind>{Kind::linear, Kind::linear, reshape});
  CHECK(out.nodes[0].inputs == std::vector<std::int32_t>{0});
}

TEST_CASE("fold: exits keep their order") {
  // Each of these is as good as its maker, which stands before another exit, or is the input.
  Builder twice({6});
  const auto first = twice.linear(0, 4);
  const auto again = twice.add(reshape, {first}, {4});
  twice.linear(first, 4);
  twice.graph.exits = {{first, 0.1}, {again, 0.2}};
  CHECK(folded(twice).nodes.size() == 3);

  Builder late({6});
  const auto early = late.linear(0, 4);
  const auto other = late.linear(0, 4);
  const auto scaled = late.affine(early);
  late.linear(0, 4);
  late.graph.exits = {{other, 0.1}, {scaled, 0.2}};
  CHECK(folded(late).nodes.size() == 4);

  Builder input({4});
  const auto same = input.add(reshape, {0}, {4});
  input.linear(0, 4);
  input.graph.exits = {{same, 0.1}};
  CHECK(folded(input).nodes.size() == 2);

  Builder moved({6});  // exits follow the layers before them
  const auto scaled_exit = moved.affine(moved.linear(0, 4));
  moved.linear(scaled_exit, 4);
  moved.graph.exits = {{scaled_exit, 0.7}};
  CHECK(folded(moved).exits[0].logits == 1);
}

TEST_CASE("fold: the answer is what the last node makes") {
  Builder b({6});
  const auto first = b.linear(0, 4);
  b.plain(Kind::tanh, 0);  // Nobody reads it.
  b.affine(first);
  CHECK(kinds(folded(b)) == std::vector<Kind>{Kind::linear, Kind::tanh, Kind::affine});

  Builder twice({20});
  const auto wide = twice.linear(0, 15);
  twice.plain(Kind::tanh, 0);
  twice.linear(wide, 6);
  CHECK(folded(twice).nodes.size() == 3);
}

TEST_CASE("fold: a product of linear layers does not move before an exit, nor does an exit wait for it") {
  Builder between({20});
  const auto wide = between.linear(0, 15);
  const auto exit = between.linear(0, 6);
  between.linear(wide, 6);
  between.graph.exits = {{exit, 0.5}};
  CHECK(folded(between).nodes.size() == 3);

  Builder after({20});
  const auto early = after.linear(0, 6);
  const auto folded_exit = after.linear(after.linear(0, 15), 6);
  after.linear(0, 6);
  after.graph.exits = {{early, 0.5}, {folded_exit, 0.6}};
  const Graph out = folded(after);
  CHECK(out.nodes.size() == 3);
  CHECK(out.exits[1].logits == 2);
}

TEST_CASE("fold: as many layers as there may be, each of which could move past all others") {
  // Were each node moved past all those before it, this would take seconds; the bound is a hundred times
  // what it takes.
  const auto seconds = [](const Graph& graph) {
    const auto start = std::chrono::steady_clock::now();
    const Graph out = fold(graph);
    CHECK(out.nodes.size() < graph.nodes.size());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  Builder pools({1, 4, 4});  // ReLUs move behind poolings
  for (std::size_t i = 0; i + 2 < kMaxNodes; ++i) {
    const auto last = static_cast<std::int32_t>(pools.graph.nodes.size());
    if (i < kMaxNodes / 2 || i % 2 == 0) {
      pools.plain(relu, last);
    } else {
      pools.max_pool(last, 1, 1, false);
    }
  }
  pools.graph.classifies = false;
  CHECK(seconds(pools.graph) < 1.0);
  CHECK(fold(pools.graph).nodes.size() == 1 + (kMaxNodes / 2 - 2) / 2);

  Builder shapes({4});
  for (std::size_t i = 0; i + 2 < kMaxNodes; ++i)
    shapes.add(reshape, {static_cast<std::int32_t>(shapes.graph.nodes.size())}, {4});
  shapes.linear(static_cast<std::int32_t>(shapes.graph.nodes.size()), 3);
  CHECK(seconds(shapes.graph) < 1.0);
  CHECK(fold(shapes.graph).nodes.size() == 1);
}
