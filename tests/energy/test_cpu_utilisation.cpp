#include "energy/cpu_utilisation.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/energy/support.h"

using namespace cbnet::energy;
using cbnet::energy::testing::contains;
using cbnet::energy::testing::message_of;
using cbnet::energy::testing::TempDir;

TEST_CASE("what is no /proc/stat line is rejected") {
  for (const char* line :
       {"", "cpu", "cpu ", "cpu0 1 2 3 4", "cpux 1 2 3 4", "intr 1 2 3 4", "cpu 1 2 3", "cpu 1 2 x 4",
        "cpu 1 2 3 4x", "cpu 1 -2 3 4", "cpu 1 2 3 4 5.5", "cpu 1 2 3 99999999999999999999999"}) {
    CAPTURE(line);
    CHECK_THROWS_AS(parse_cpu_times(line), std::invalid_argument);
  }
}

TEST_CASE("all ten columns are read in their order") {
  const CpuTimes times = parse_cpu_times("cpu  1 2 3 4 5 6 7 8 9 10 11");
  CHECK(times.user == 1);
  CHECK(times.nice == 2);
  CHECK(times.system == 3);
  CHECK(times.idle == 4);
  CHECK(times.iowait == 5);
  CHECK(times.irq == 6);
  CHECK(times.softirq == 7);
  CHECK(times.steal == 8);
  CHECK(times.guest == 9);
  CHECK(times.guest_nice == 10);
}

TEST_CASE("missing columns are 0") {
  const CpuTimes times = parse_cpu_times("cpu  1 2 3 4 5 6 7 8");  // as OpenVZ prints it
  CHECK(times.steal == 8);
  CHECK(times.guest == 0);
  CHECK(times.guest_nice == 0);
  CHECK(parse_cpu_times("cpu 1 2 3 4").iowait == 0);
}

TEST_CASE("psutil's own numbers") {
  const CpuTimes before = parse_cpu_times("cpu  100 0 50 800 50 0 0 0 0 0");
  const CpuUtilisation first = utilisation(before, parse_cpu_times("cpu  150 10 70 880 60 5 5 20 30 5"));
  CHECK(first.psutil_percent == 55.0);
  CHECK(first.u.value() == doctest::Approx(0.55).epsilon(1e-15));
  CHECK(first.steal_frac.value() == doctest::Approx(0.1).epsilon(1e-15));
  // iowait went backwards.
  const CpuUtilisation second = utilisation(before, parse_cpu_times("cpu  150 10 70 880 40 5 5 20 30 5"));
  CHECK(second.psutil_percent == 57.9);
  CHECK(second.u.value() == doctest::Approx(110.0 / 190).epsilon(1e-15));  // not rounded
}

TEST_CASE("idle and busy ends") {
  CHECK(utilisation({}, {.idle = 90, .iowait = 10}).u == 0.0);
  CHECK(utilisation({}, {.user = 50, .irq = 50}).u == 1.0);
  CHECK(utilisation({}, {.idle = 50, .steal = 50}).u == 0.5);  // steal counts as busy
  // All of user and nice is guest time: neither busy nor total counts it twice.
  CHECK(utilisation({}, {.user = 40, .nice = 10, .idle = 50, .guest = 40, .guest_nice = 10}).u == 0.5);
}

TEST_CASE("no ticks give nothing, not 0") {
  const CpuTimes some = parse_cpu_times("cpu  100 0 50 800 50 0 0 0 0 0");
  for (const CpuUtilisation& none : {utilisation(some, some), utilisation({}, {}), utilisation(some, {}),
                                     utilisation({.user = 9}, {.user = 1, .guest = 5})}) {
    CHECK_FALSE(none.u);
    CHECK_FALSE(none.psutil_percent);
    CHECK_FALSE(none.steal_frac);
  }
}

TEST_CASE("the file is named when it cannot be read") {
  const TempDir dir;
  const std::string good = dir.write("stat", "cpu  1 2 3 4\ncpu0 5 6 7 8\n");
  CHECK(read_cpu_times(good).user == 1);
  const std::string absent = (dir.path() / "absent").string();
  for (const std::string& file : {absent, dir.write("empty", ""), dir.write("bad", "Linux\n")}) {
    CAPTURE(file);
    const std::string message = message_of<std::runtime_error>([&] { read_cpu_times(file); });
    CHECK(contains(message, file));
    CHECK(contains(message, "hint: "));
  }
}

TEST_CASE("this machine's /proc/stat is read") {
  const CpuTimes times = read_cpu_times();
  CHECK(times.user + times.system + times.idle > 0);
}
