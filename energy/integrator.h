#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

// Power samples become energy by trapezoids over one window, and an energy counter by its difference.
namespace cbnet::energy {

struct PowerSample {
  std::int64_t t_ns = 0;  // CLOCK_MONOTONIC
  double power_w = 0;
};

// Two samples further apart than this many periods are not joined: a sensor that went quiet says
// nothing about the time between.
inline constexpr double kMaxGapPeriods = 3;
// There is no result when joined samples cover a smaller fraction of the window.
inline constexpr double kMinCoverage = 0.95;

struct PowerIntegral {
  std::optional<double> energy_j;      // over the covered part of the window only
  std::optional<double> mean_power_w;  // energy_j over the covered time
  double coverage = 0;                 // covered time over window time, in [0,1]
  std::string reason;                  // why there is no result; empty when there is one
};

// Integrates over [start_ns, stop_ns], interpolating at both edges; time before the first and after
// the last sample is not covered. Samples ascend in time; non-finite or negative ones count as missing.
// Throws std::invalid_argument when stop_ns <= start_ns, period_s is not positive, or time runs back.
PowerIntegral integrate_power(std::span<const PowerSample> samples, std::int64_t start_ns,
                              std::int64_t stop_ns, double period_s);

// A change of an energy counter, which moves in steps of its own, every 20 to 100 ms on GPUs. At a change the
// energy that was used is known exactly; between two changes it is taken to grow at a constant rate.
struct CounterChange {
  std::int64_t t_ns = 0;  // CLOCK_MONOTONIC
  double energy_j = 0;    // the new value: joules since some moment in the past
};

// There is no result when a larger fraction of the window than the rest of this lies between its ends and the
// changes next to them.
inline constexpr double kMinCounterCoverage = 0.9;

struct CounterIntegral {
  std::optional<double> energy_j;  // over the whole window
  double coverage = 0;  // 1 less the distances of the window's ends from the nearest changes, over it
  std::string reason;   // why there is no result; empty when there is one
};

// Takes the counter at both ends of [start_ns, stop_ns], interpolated between the changes around each end.
// Changes ascend in time. There is no result without a change on either side of the window, and none where
// the counter ran back. Throws std::invalid_argument when stop_ns <= start_ns, or time runs back.
CounterIntegral integrate_counter(std::span<const CounterChange> changes, std::int64_t start_ns,
                                  std::int64_t stop_ns);

}  // namespace cbnet::energy
