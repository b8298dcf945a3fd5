#include "bench/timing.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/support/throws.h"

using namespace cbnet::bench;

namespace {

/// Busy for a while, without a clock.
void work(int times) {
  volatile int sink = 0;
  for (int i = 0; i < times; ++i) sink = sink + 1;
}

TimingOptions quick(int rounds) {
  TimingOptions options;
  options.rounds = rounds;
  options.block_s = 1e-4;
  return options;
}

}  // namespace

TEST_CASE("timing: wrong use is refused") {
  CHECK_THROWS_SAYING(time_in_turns({}, quick(0)), std::invalid_argument, "got 0 of");
  TimingOptions options = quick(1);
  options.block_s = 0;
  CHECK_THROWS_SAYING(time_in_turns({}, options), std::invalid_argument, "0 s");
}

TEST_CASE("timing: every task has a block in each round, back and forth") {
  std::string order;
  TimingOptions options = quick(3);
  int last = -1;
  options.progress = [&](const std::string& task, int done, int all) {
    order += task;
    CHECK(done == last + 1);
    CHECK(all == 6);
    last = done;
  };
  const auto timings = time_in_turns({{"a", [] { work(10); }}, {"b", [] { work(10); }}}, options);
  CHECK(order == "abbaab");
  CHECK(timings.size() == 2);
}

TEST_CASE("timing: a hundred times the work takes longer, and the spread holds the median") {
  const auto timings =
      time_in_turns({{"short", [] { work(1'000); }}, {"long", [] { work(100'000); }}}, quick(5));
  CHECK(timings[1].us > 20 * timings[0].us);
  for (const Timing& t : timings) {
    CHECK(t.us > 0);
    CHECK(t.low <= t.us);
    CHECK(t.us <= t.high);
    CHECK(t.busy > 0);
  }
}

TEST_CASE("timing: the time of a thread goes on while it works") {
  const double before = thread_seconds();
  work(1'000'000);
  CHECK(thread_seconds() > before);
}
