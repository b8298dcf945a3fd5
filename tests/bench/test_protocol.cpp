#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "bench/protocol.h"
#include "tests/bench/support.h"

using namespace cbnet::bench;
using namespace cbnet::bench::testing;

namespace {

constexpr std::int64_t kMs = 1'000'000;

/// A pass of `calls` calls with one image each; call 0 is the hard one.
Subject subject(const std::string& name, ScriptedClock& clock, std::int64_t calls, std::int64_t easy_ns,
                std::int64_t hard_ns) {
  return {name, calls, [&clock, easy_ns, hard_ns](std::int64_t call) {
            clock.now_ns += call == 0 ? hard_ns : easy_ns;
            return std::int64_t{1};
          }};
}

ProtocolOptions options_on(ScriptedClock& clock) {
  ProtocolOptions options;
  options.clock = clock.reader();
  return options;
}

}  // namespace

TEST_CASE("protocol: wrong use throws") {
  ScriptedClock clock;
  ScriptedMeter meter(clock, 2.0);
  ProtocolOptions options = options_on(clock);
  CHECK_THROWS_AS(time_blocks({}, meter, options), std::invalid_argument);
  CHECK_THROWS_AS(time_blocks({subject("a", clock, 0, 1, 1)}, meter, options), std::invalid_argument);
  options.rounds = 0;
  CHECK_THROWS_AS(time_blocks({subject("a", clock, 1, 1, 1)}, meter, options), std::invalid_argument);
}

TEST_CASE("protocol: subjects take turns, and odd rounds go backwards") {
  ScriptedClock clock;
  ScriptedMeter meter(clock, 2.0);
  ProtocolOptions options = options_on(clock);
  std::string order;
  options.progress = [&](const std::string& name, std::int64_t round) {
    order += name + std::to_string(round) + " ";
  };
  const auto blocks =
      time_blocks({subject("a", clock, 2, 300 * kMs, 300 * kMs), subject("b", clock, 2, 700 * kMs, 700 * kMs),
                   subject("c", clock, 1, kMs, kMs)},
                  meter, options);
  CHECK(order == "a0 b0 c0 c1 b1 a1 a2 b2 c2 ");
  REQUIRE(blocks.size() == 3);
  for (const auto& of_subject : blocks) {
    REQUIRE(of_subject.size() == 3);
    for (std::int64_t round = 0; round < 3; ++round)
      CHECK(of_subject[static_cast<std::size_t>(round)].round == round);
  }
}

TEST_CASE("protocol: a block is whole passes and at least a second") {
  ScriptedClock clock;
  ScriptedMeter meter(clock, 2.0);
  // Passes of 0.3 s: four of them. A pass of 1.2 s: one. A pass of exactly 1 s: one.
  const auto blocks = time_blocks(
      {subject("short", clock, 3, 100 * kMs, 100 * kMs), subject("long", clock, 2, 600 * kMs, 600 * kMs),
       subject("exact", clock, 2, 500 * kMs, 500 * kMs)},
      meter, options_on(clock));
  for (const Block& block : blocks[0]) {
    CHECK(block.passes == 4);
    CHECK(block.images == 12);
    CHECK(block.image_ns.size() == 12);
    CHECK(block.energy.window_s == doctest::Approx(1.2));
    CHECK(block.mean_ns() == doctest::Approx(100.0 * kMs));
  }
  for (const Block& block : blocks[1]) CHECK(block.passes == 1);
  for (const Block& block : blocks[2]) CHECK(block.passes == 1);
}

TEST_CASE("protocol: energy and latency share the window") {
  ScriptedClock clock;
  ScriptedMeter meter(clock, 2.5);
  const auto blocks = time_blocks({subject("a", clock, 1, 0, 1250 * kMs)}, meter, options_on(clock));
  for (const Block& block : blocks[0]) {
    CHECK(block.energy.window_s == doctest::Approx(1.25));
    REQUIRE(block.energy.energy_j);
    CHECK(*block.energy.energy_j == doctest::Approx(2.5 * 1.25));
  }
}

TEST_CASE("protocol: the mean holds the hard images, a call's time is shared by its images") {
  ScriptedClock clock;
  ScriptedMeter meter(clock, 2.0);
  // 1 hard image of 910 ms and 9 easy ones of 10 ms.
  const auto blocks =
      time_blocks({subject("early exit", clock, 10, 10 * kMs, 910 * kMs)}, meter, options_on(clock));
  CHECK(blocks[0][0].mean_ns() == doctest::Approx(100.0 * kMs));
  CHECK(blocks[0][0].image_ns[0] == doctest::Approx(910.0 * kMs));
  CHECK(blocks[0][0].image_ns[5] == doctest::Approx(10.0 * kMs));

  const Subject batched{"batched", 1, [&](std::int64_t) {
                          clock.now_ns += 2000 * kMs;
                          return std::int64_t{8};
                        }};
  const auto of_batches = time_blocks({batched}, meter, options_on(clock));
  CHECK(of_batches[0][0].images == 8);
  CHECK(of_batches[0][0].image_ns == std::vector<double>{250.0 * kMs});
}

TEST_CASE("protocol: the timer's own cost") {
  std::int64_t now = 0;
  CHECK(timer_cost_ns([&] { return now += 25; }) == doctest::Approx(25.0));
  const double real = timer_cost_ns();
  CHECK(real >= 0.0);
  CHECK(real < 1e6);
}
