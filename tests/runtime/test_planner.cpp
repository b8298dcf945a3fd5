#include "runtime/planner.h"

#include <chrono>

#include "tests/runtime/graphs.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::runtime;
using namespace cbnet::runtime::test;

namespace {

std::vector<std::string> names(const Schedule& schedule) {
  std::vector<std::string> out;
  for (const StepPtr& step : schedule.steps) out.push_back(step->name);
  return out;
}

/// Bytes [begin, end) of a buffer for a whole tile, with what kernels may touch behind it.
std::pair<std::size_t, std::size_t> range(const Schedule& schedule, const Buffer& buffer) {
  const std::int64_t elements = schedule.tile * buffer.pitch + kernels::kSlack;
  return {buffer.offset, buffer.offset + static_cast<std::size_t>(elements * buffer.layout.element_bytes())};
}

/// No two buffers share bytes while both are in use; planes with zeros around share with none.
void check_places(const Schedule& schedule) {
  for (std::size_t i = 0; i < schedule.buffers.size(); ++i) {
    const Buffer& a = schedule.buffers[i];
    CHECK(a.offset % 64 == 0);
    CHECK(range(schedule, a).second <= schedule.arena_bytes);
    for (std::size_t j = 0; j < i; ++j) {
      const Buffer& b = schedule.buffers[j];
      const auto [a_begin, a_end] = range(schedule, a);
      const auto [b_begin, b_end] = range(schedule, b);
      const bool at_once =
          a.is_pinned() || b.is_pinned() || (a.first_step <= b.last_step && b.first_step <= a.last_step);
      CHECK_MESSAGE((!at_once || a_end <= b_begin || b_end <= a_begin), "buffers " << i << " and " << j);
    }
  }
}

/// Steps read what steps before them made.
void check_order(const Schedule& schedule) {
  std::vector<bool> made(schedule.buffers.size(), false);
  for (const StepPtr& step : schedule.steps) {
    for (const int id : step->reads) CHECK(made.at(static_cast<std::size_t>(id)));
    made.at(static_cast<std::size_t>(step->writes)) = true;
  }
}

}  // namespace

TEST_CASE("planner: convolution, pooling and ReLU are one step; so are a linear layer and its activation") {
  Builder b({1, 28, 28});
  const auto stage = b.plain(Kind::relu, b.max_pool(b.conv(0, 4, 5, 2), 2, 2, true));
  const auto flat = b.add(Kind::reshape, {stage}, {784});
  b.linear(b.plain(Kind::tanh, b.linear(flat, 20)), 10);
  for (const Isa isa : available_isas()) {
    const Schedule schedule = make_schedule(b.graph, isa);
    CHECK(names(schedule) == std::vector<std::string>{"pixels", "n1 conv2d, n2 max_pool2d, n3 relu",
                                                      "n5 linear, n6 tanh", "n7 linear"});
    check_order(schedule);
    check_places(schedule);
  }
}

TEST_CASE("planner: what somebody else reads is not fused away") {
  Builder b({2, 8, 8});
  const auto conv = b.conv(0, 2, 3, 1);
  const auto active = b.plain(Kind::relu, conv);
  b.add(Kind::add, {conv, active}, {2, 8, 8});
  b.graph.classifies = false;
  const Schedule schedule = make_schedule(b.graph, Isa::scalar);
  CHECK(names(schedule) == std::vector<std::string>{"pixels", "n1 conv2d", "n2 relu", "n3 add"});
  check_places(schedule);
}

TEST_CASE(
    "planner: behind an exit the buffers that go on are carried, the logits only where they are read again") {
  Builder b({6});
  const auto trunk = b.plain(Kind::relu, b.linear(0, 8));
  const auto early = b.linear(trunk, 3);
  b.linear(b.plain(Kind::sigmoid, b.linear(trunk, 8)), 3);
  b.graph.exits = {{early, 0.5}};
  const Schedule schedule = make_schedule(b.graph, Isa::scalar);
  REQUIRE(schedule.segments.size() == 2);
  const Segment& first = schedule.segments[0];
  CHECK(first.begin == 0);
  CHECK(first.end == 3);  // pixels, trunk, exit
  CHECK(first.threshold == 0.5);
  REQUIRE(first.carried.size() == 1);
  CHECK(schedule.buffers[static_cast<std::size_t>(first.carried[0])].size == 8);
  CHECK(schedule.segments[1].end == schedule.steps.size());
  CHECK(schedule.segments[1].carried.empty());
  CHECK(schedule.output == schedule.segments[1].logits);
  check_order(schedule);
  check_places(schedule);

  Builder again({6});
  const auto logits = again.linear(0, 3);
  again.linear(again.plain(Kind::relu, logits), 3);
  again.graph.exits = {{logits, 0.5}};
  const Schedule reread = make_schedule(again.graph, Isa::scalar);
  CHECK(reread.segments[0].carried == std::vector<int>{reread.segments[0].logits});
}

TEST_CASE("planner: places are used again once what lay there has been read") {
  Builder b({1000});
  std::int32_t at = 0;
  for (int i = 0; i < 6; ++i) at = b.plain(Kind::sigmoid, at);
  b.graph.classifies = false;
  const Schedule schedule = make_schedule(b.graph, Isa::scalar);
  check_places(schedule);
  REQUIRE(schedule.buffers.size() == 7);
  CHECK(schedule.arena_bytes ==
        2 * range(schedule, schedule.buffers[0]).second);  // one is read, one is written
  CHECK(schedule.tile >= 1);
}

TEST_CASE("planner: layers of bytes hand each other bytes, and an f32 reader keeps them from it") {
  Builder chain({8});
  chain.linear(chain.plain(Kind::relu, chain.linear(0, 8, Precision::int8)), 4, Precision::int8);
  Schedule schedule = make_schedule(chain.graph, Isa::scalar);
  CHECK(names(schedule) == std::vector<std::string>{"pixels", "n1 linear, n2 relu", "n3 linear"});
  CHECK(schedule.buffers[0].layout.type == Layout::Type::u8);
  CHECK(schedule.buffers[1].layout.type == Layout::Type::u8);

  Builder mixed({8});
  const auto hidden = mixed.linear(0, 8, Precision::int8);
  const auto left = mixed.linear(hidden, 4, Precision::int8);
  mixed.add(Kind::add, {left, mixed.linear(hidden, 4)}, {4});
  schedule = make_schedule(mixed.graph, Isa::scalar);
  CHECK(names(schedule) ==
        std::vector<std::string>{"pixels", "n1 linear", "copy", "n2 linear", "n3 linear", "n4 add"});
  check_places(schedule);
}

TEST_CASE("planner: the largest graph, reshapes before a layer of bytes, compiles in seconds") {
  Builder b({8});
  std::int32_t at = 0;
  while (b.graph.nodes.size() + 1 < kMaxNodes)
    at = b.add(Kind::reshape, {at}, at % 2 == 1 ? Shape{2, 4} : Shape{8});
  b.linear(at, 3, Precision::int8);
  const auto start = std::chrono::steady_clock::now();
  const Schedule schedule = make_schedule(b.graph, Isa::scalar);
  CHECK(names(schedule).size() == 2);
  fold(b.graph);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}

TEST_CASE("planner: images go through one by one where activations are far more than shared weights") {
  const auto tile = [](std::int64_t outputs) {
    Builder b({3, 64, 64});
    const auto stage = b.plain(Kind::relu, b.conv(0, 8, 3, 1));
    b.linear(b.add(Kind::reshape, {b.max_pool(stage, 8, 8, false)}, {512}), outputs);
    return make_schedule(b.graph, available_isas().back()).tile;
  };
  CHECK(tile(2) < 16);
  CHECK(tile(500) >= 16);
}

TEST_CASE("planner: an arena has a limit, and tiles go down to one image") {
  Builder large({1 << 21});
  large.linear(large.plain(Kind::relu, 0), 1);
  large.graph.classifies = false;
  CHECK(make_schedule(large.graph, Isa::scalar).tile == 3);
  Builder one({1 << 24});
  one.plain(Kind::relu, 0);
  one.graph.classifies = false;
  CHECK(make_schedule(one.graph, Isa::scalar).tile == 1);
  Builder beyond({1 << 28});
  beyond.plain(Kind::relu, 0);
  beyond.graph.classifies = false;
  CHECK_THROWS_SAYING(make_schedule(beyond.graph, Isa::scalar), std::invalid_argument,
                      "an image needs an arena of at least 536870912 bytes; at most 268435456 are given");
}
