#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

// Power samples become energy by trapezoids over one window.
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

}  // namespace cbnet::energy
