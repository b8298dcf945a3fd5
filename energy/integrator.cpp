#include "energy/integrator.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "energy/text.h"

namespace cbnet::energy {
namespace {

double power_at(const PowerSample& a, const PowerSample& b, std::int64_t t_ns) {
  const double fraction = static_cast<double>(t_ns - a.t_ns) / static_cast<double>(b.t_ns - a.t_ns);
  return a.power_w + (b.power_w - a.power_w) * fraction;
}

}  // namespace

PowerIntegral integrate_power(std::span<const PowerSample> samples, std::int64_t start_ns,
                              std::int64_t stop_ns, double period_s) {
  if (stop_ns <= start_ns || !(period_s > 0)) {
    throw std::invalid_argument(
        fault("a window and a period longer than 0",
              std::to_string(stop_ns - start_ns) + " ns and " + format_number(period_s) + " s",
              "give the start of the window first"));
  }
  const double max_gap_ns = kMaxGapPeriods * period_s * 1e9;
  double energy_j = 0;
  std::int64_t covered_ns = 0;
  const PowerSample* last = nullptr;
  for (const PowerSample& sample : samples) {
    if (!std::isfinite(sample.power_w) || sample.power_w < 0) continue;
    const PowerSample* const previous = std::exchange(last, &sample);
    if (previous == nullptr) continue;
    if (sample.t_ns < previous->t_ns) {
      throw std::invalid_argument(fault("power samples in ascending time",
                                        std::to_string(sample.t_ns - previous->t_ns) + " ns between two",
                                        "stamp them on arrival by CLOCK_MONOTONIC"));
    }
    const std::int64_t from_ns = std::max(previous->t_ns, start_ns);
    const std::int64_t to_ns = std::min(sample.t_ns, stop_ns);
    if (from_ns >= to_ns || static_cast<double>(sample.t_ns - previous->t_ns) > max_gap_ns) continue;
    const double mean_w = (power_at(*previous, sample, from_ns) + power_at(*previous, sample, to_ns)) / 2;
    energy_j += mean_w * static_cast<double>(to_ns - from_ns) * 1e-9;
    covered_ns += to_ns - from_ns;
  }
  PowerIntegral integral;
  integral.coverage = static_cast<double>(covered_ns) / static_cast<double>(stop_ns - start_ns);
  if (integral.coverage < kMinCoverage) {
    integral.reason = "power samples cover " + format_fixed(100 * integral.coverage, 1) +
                      " % of the window, at least " + format_fixed(100 * kMinCoverage, 0) + " % are needed";
    return integral;
  }
  integral.energy_j = energy_j;
  integral.mean_power_w = energy_j / (static_cast<double>(covered_ns) * 1e-9);
  return integral;
}

}  // namespace cbnet::energy
