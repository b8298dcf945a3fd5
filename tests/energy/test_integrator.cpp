#include "energy/integrator.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numbers>
#include <stdexcept>
#include <vector>

#include "tests/energy/support.h"

using namespace cbnet::energy;
using cbnet::energy::testing::contains;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr double kPeriodS = 0.1;
constexpr std::int64_t kPeriod = kSecond / 10;

// Samples at 0, 0.1, ... s up to `seconds`; `power` takes seconds.
std::vector<PowerSample> sample(int seconds, const std::function<double(double)>& power) {
  std::vector<PowerSample> samples;
  for (std::int64_t t = 0; t <= seconds * kSecond; t += kPeriod) {
    samples.push_back({t, power(static_cast<double>(t) * 1e-9)});
  }
  return samples;
}

double constant(double) { return 50; }

}  // namespace

TEST_CASE("wrong windows, periods and times throw") {
  const auto samples = sample(1, constant);
  CHECK_THROWS_AS(integrate_power(samples, kSecond, kSecond, kPeriodS), std::invalid_argument);
  CHECK_THROWS_AS(integrate_power(samples, kSecond, 0, kPeriodS), std::invalid_argument);
  CHECK_THROWS_AS(integrate_power(samples, 0, kSecond, 0), std::invalid_argument);
  CHECK_THROWS_AS(integrate_power(samples, 0, kSecond, std::nan("")), std::invalid_argument);
  const std::vector<PowerSample> backwards{{kPeriod, 50}, {0, 50}};
  CHECK_THROWS_AS(integrate_power(backwards, 0, kPeriod, kPeriodS), std::invalid_argument);
}

TEST_CASE("constant, ramp and sine") {
  const PowerIntegral flat = integrate_power(sample(10, constant), kSecond, 9 * kSecond, kPeriodS);
  CHECK(flat.energy_j.value() == doctest::Approx(400).epsilon(1e-12));
  CHECK(flat.mean_power_w.value() == doctest::Approx(50).epsilon(1e-12));
  CHECK(flat.coverage == 1);
  CHECK(flat.reason.empty());
  // Trapezoids are exact on a ramp, wherever the edges fall.
  const auto ramp = sample(10, [](double t) { return 10 + 3 * t; });
  const std::int64_t start = 1'234'567'891;
  const std::int64_t stop = 8'765'432'109;
  const double a = 1.234567891;
  const double b = 8.765432109;
  CHECK(integrate_power(ramp, start, stop, kPeriodS).energy_j.value() ==
        doctest::Approx(10 * (b - a) + 1.5 * (b * b - a * a)).epsilon(1e-12));
  const auto sine = sample(10, [](double t) { return 100 + 50 * std::sin(2 * std::numbers::pi * t / 10); });
  CHECK(integrate_power(sine, 0, 5 * kSecond, kPeriodS).energy_j.value() ==
        doctest::Approx(500 + 500 / std::numbers::pi).epsilon(1e-4));
}

TEST_CASE("a square wave costs half a period at each flank at most") {
  const auto square = sample(10, [](double t) { return static_cast<int>(t + 1e-6) % 2 == 0 ? 100.0 : 20.0; });
  const double energy_j = integrate_power(square, 0, 10 * kSecond, kPeriodS).energy_j.value();
  CHECK(std::abs(energy_j - 600) <= 10 * 0.5 * kPeriodS * 80);
  CHECK(energy_j > 0);
}

TEST_CASE("both edges are interpolated, also inside one interval") {
  const std::vector<PowerSample> two{{0, 10}, {kPeriod, 20}};
  const PowerIntegral inside = integrate_power(two, kPeriod / 4, kPeriod / 2, kPeriodS);
  CHECK(inside.coverage == 1);
  CHECK(inside.mean_power_w.value() == doctest::Approx(13.75));
  CHECK(inside.energy_j.value() == doctest::Approx(13.75 * 0.025));
}

TEST_CASE("windows add up") {
  const auto samples = sample(10, [](double t) { return 60 + 40 * std::sin(7 * t) + t; });
  const auto energy_j = [&](std::int64_t start, std::int64_t stop) {
    return integrate_power(samples, start, stop, kPeriodS).energy_j.value();
  };
  const double whole = energy_j(0, 10 * kSecond);
  for (const std::int64_t cut :
       {std::int64_t{1}, std::int64_t{1'234'567'890}, 5 * kSecond, 10 * kSecond - 1}) {
    CAPTURE(cut);
    CHECK(energy_j(0, cut) + energy_j(cut, 10 * kSecond) == doctest::Approx(whole).epsilon(1e-12));
  }
}

TEST_CASE("a gap of three periods is bridged, a longer one is not") {
  auto samples = sample(10, constant);
  samples.erase(samples.begin() + 51, samples.begin() + 53);  // leaves 0.3 s
  CHECK(integrate_power(samples, 0, 10 * kSecond, kPeriodS).coverage == 1);
  samples.erase(samples.begin() + 51);  // leaves 0.4 s
  const PowerIntegral gap = integrate_power(samples, 0, 10 * kSecond, kPeriodS);
  CHECK(gap.coverage == doctest::Approx(0.96));
  CHECK(gap.energy_j.value() == doctest::Approx(480));  // nothing added for the gap
  CHECK(gap.mean_power_w.value() == doctest::Approx(50));
}

TEST_CASE("below 95 % there is no result but a reason") {
  auto samples = sample(10, constant);
  samples.erase(samples.begin() + 51, samples.begin() + 57);  // leaves 0.7 s
  const PowerIntegral gap = integrate_power(samples, 0, 10 * kSecond, kPeriodS);
  CHECK(gap.coverage == doctest::Approx(0.93));
  CHECK_FALSE(gap.energy_j);
  CHECK_FALSE(gap.mean_power_w);
  CHECK(contains(gap.reason, "93.0 %"));
}

TEST_CASE("time outside the samples is not covered") {
  const auto samples = sample(10, constant);
  CHECK_FALSE(integrate_power(samples, 9 * kSecond, 11 * kSecond, kPeriodS).energy_j);
  CHECK_FALSE(integrate_power(samples, -2 * kSecond, kSecond, kPeriodS).energy_j);
  CHECK(integrate_power(samples, 20 * kSecond, 21 * kSecond, kPeriodS).coverage == 0);
  CHECK_FALSE(integrate_power({}, 0, kSecond, kPeriodS).energy_j);
  const std::vector<PowerSample> one{{0, 50}};
  CHECK_FALSE(integrate_power(one, 0, kSecond, kPeriodS).energy_j);
}

TEST_CASE("duplicates add nothing, unusable samples are missing") {
  auto samples = sample(10, constant);
  samples.insert(samples.begin() + 50, samples[50]);
  samples[20].power_w = std::numeric_limits<double>::quiet_NaN();
  samples[30].power_w = -50;
  samples[70].power_w = std::numeric_limits<double>::infinity();
  const PowerIntegral integral = integrate_power(samples, 0, 10 * kSecond, kPeriodS);
  CHECK(integral.coverage == 1);
  CHECK(integral.energy_j.value() == doctest::Approx(500));
}

TEST_CASE("a counter is interpolated between the changes around both ends of a window") {
  // 100 J by 1 s, 300 J by 2 s, 600 J by 3 s, 1000 J by 4 s.
  const std::vector<CounterChange> changes{
      {0, 7}, {kSecond, 107}, {2 * kSecond, 307}, {3 * kSecond, 607}, {4 * kSecond, 1007}};
  const auto check = [&](double start_s, double stop_s, double energy_j, double coverage) {
    CAPTURE(start_s);
    CAPTURE(stop_s);
    const CounterIntegral integral =
        integrate_counter(changes, std::llround(start_s * 1e9), std::llround(stop_s * 1e9));
    CHECK(integral.reason == "");
    CHECK(integral.energy_j.value() == doctest::Approx(energy_j).epsilon(1e-12));
    CHECK(integral.coverage == doctest::Approx(coverage).epsilon(1e-12));
  };
  check(0, 4, 1000, 1);
  check(1, 3, 500, 1);
  check(0, 1, 100, 1);
  check(1, 3.1, 540, 1 - 0.1 / 2.1);                 // 0.1 s at 400 W
  check(0.95, 2.9, 5 + 200 + 270, 1 - 0.15 / 1.95);  // the nearest change may be behind the window
}

TEST_CASE("a counter without changes on both sides, or too few within, gives no energy") {
  const std::vector<CounterChange> changes{{kSecond, 1}, {2 * kSecond, 2}, {3 * kSecond, 3}};
  const auto reason = [&](double start_s, double stop_s) {
    const CounterIntegral integral =
        integrate_counter(changes, std::llround(start_s * 1e9), std::llround(stop_s * 1e9));
    CHECK_FALSE(integral.energy_j);
    return integral.reason;
  };
  CHECK(contains(reason(0.999, 3), "both sides"));
  CHECK(contains(reason(1, 3.001), "both sides"));
  CHECK(contains(reason(1.25, 1.75), "cover 0.0 % of the window, at least 90 % are needed"));
  CHECK(contains(reason(1, 2.4), "cover 71.4 % of the window"));
  CHECK_FALSE(integrate_counter({}, 0, kSecond).energy_j);
  const std::vector<CounterChange> one{{kSecond, 1}};
  CHECK_FALSE(integrate_counter(one, kSecond, kSecond + 1).energy_j);
}

TEST_CASE("a counter that ran back within the window gives no energy; one that did before it does") {
  const std::vector<CounterChange> changes{
      {0, 9}, {kSecond, 5}, {2 * kSecond, 6}, {3 * kSecond, 1}, {4 * kSecond, 2}};
  CHECK(integrate_counter(changes, kSecond, 2 * kSecond).energy_j == 1.0);
  const CounterIntegral integral = integrate_counter(changes, kSecond, 3 * kSecond);
  CHECK_FALSE(integral.energy_j);
  CHECK(integral.reason ==
        "the energy counter ran back from 6.000 J to 1.000 J; was the driver loaded anew?");
  // Seen to have run back behind the window's end, it may have done so before.
  CHECK_FALSE(integrate_counter(changes, kSecond, 2 * kSecond + 1).energy_j);
}

TEST_CASE("wrong windows and times of a counter throw") {
  const std::vector<CounterChange> changes{{0, 1}, {kSecond, 2}};
  CHECK_THROWS_AS(integrate_counter(changes, kSecond, kSecond), std::invalid_argument);
  CHECK_THROWS_AS(integrate_counter(changes, kSecond, 0), std::invalid_argument);
  const std::vector<CounterChange> backwards{{kSecond, 1}, {0, 2}};
  CHECK_THROWS_AS(integrate_counter(backwards, 0, kSecond), std::invalid_argument);
}
