#include "optim/schedule.h"

#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("unknown names and steps outside the run throw") {
  CHECK_THROWS_SAYING(parse_schedule("linear"), std::invalid_argument,
                      "expected constant, step or cosine; got 'linear'");
  CHECK_THROWS_SAYING(Schedule().rate(10, 10), std::invalid_argument, "[0, 10); got 10");
}

TEST_CASE("each kind has its shape") {
  for (const auto kind : {ScheduleKind::constant, ScheduleKind::step, ScheduleKind::cosine}) {
    CHECK(parse_schedule(to_string(kind)) == kind);
  }
  Schedule schedule{ScheduleKind::constant, 0.2};
  CHECK(schedule.rate(99, 100) == 0.2);
  schedule.kind = ScheduleKind::step;
  CHECK(schedule.rate(32, 99) == doctest::Approx(0.2));
  CHECK(schedule.rate(33, 99) == doctest::Approx(0.02));
  CHECK(schedule.rate(66, 99) == doctest::Approx(0.002));
  schedule.kind = ScheduleKind::cosine;
  CHECK(schedule.rate(0, 100) == doctest::Approx(0.2));
  CHECK(schedule.rate(50, 100) == doctest::Approx(0.1));
  CHECK(schedule.rate(99, 100) < 1e-4);
  schedule.warmup_steps = 10;
  CHECK(schedule.rate(4, 100) == doctest::Approx(0.1));
  CHECK(schedule.rate(10, 100) == doctest::Approx(0.2));
}
