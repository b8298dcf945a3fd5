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

void require_ascending(std::int64_t before_ns, std::int64_t t_ns) {
  if (t_ns >= before_ns) return;
  throw std::invalid_argument(fault("samples in ascending time",
                                    std::to_string(t_ns - before_ns) + " ns between two",
                                    "stamp them on arrival by CLOCK_MONOTONIC"));
}

// The counter at one end of a window, and how far from there the nearest change is.
struct CounterEnd {
  double energy_j = 0;
  std::int64_t distance_ns = 0;
};

// `after` is the first change behind t_ns, or the last of all.
CounterEnd counter_at(std::span<const CounterChange> changes, std::size_t after, std::int64_t t_ns) {
  const CounterChange& a = changes[after - 1];
  const CounterChange& b = changes[after];
  const double fraction =
      b.t_ns == a.t_ns ? 1 : static_cast<double>(t_ns - a.t_ns) / static_cast<double>(b.t_ns - a.t_ns);
  return {a.energy_j + (b.energy_j - a.energy_j) * fraction, std::min(t_ns - a.t_ns, b.t_ns - t_ns)};
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
    require_ascending(previous->t_ns, sample.t_ns);
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

CounterIntegral integrate_counter(std::span<const CounterChange> changes, std::int64_t start_ns,
                                  std::int64_t stop_ns) {
  if (stop_ns <= start_ns) {
    throw std::invalid_argument(fault("a window longer than 0", std::to_string(stop_ns - start_ns) + " ns",
                                      "give the start of the window first"));
  }
  CounterIntegral integral;
  for (std::size_t i = 1; i < changes.size(); ++i) {
    require_ascending(changes[i - 1].t_ns, changes[i].t_ns);
    if (changes[i].energy_j < changes[i - 1].energy_j && changes[i].t_ns > start_ns &&
        changes[i - 1].t_ns < stop_ns) {
      integral.reason = "the energy counter ran back from " + format_fixed(changes[i - 1].energy_j, 3) +
                        " J to " + format_fixed(changes[i].energy_j, 3) + " J; was the driver loaded anew?";
      return integral;
    }
  }
  if (changes.size() < 2 || changes.front().t_ns > start_ns || changes.back().t_ns < stop_ns) {
    integral.reason =
        "the energy counter did not change on both sides of the window, which takes it up to 0.1 s";
    return integral;
  }
  const auto first_behind = [&](std::int64_t t_ns) {
    const auto at =
        std::upper_bound(changes.begin(), changes.end() - 1, t_ns,
                         [](std::int64_t t, const CounterChange& change) { return t < change.t_ns; });
    return static_cast<std::size_t>(at - changes.begin());
  };
  const CounterEnd start = counter_at(changes, first_behind(start_ns), start_ns);
  const CounterEnd stop = counter_at(changes, first_behind(stop_ns), stop_ns);
  const auto window_ns = static_cast<double>(stop_ns - start_ns);
  integral.coverage =
      std::max(0.0, 1 - static_cast<double>(start.distance_ns + stop.distance_ns) / window_ns);
  if (integral.coverage < kMinCounterCoverage) {
    integral.reason = "changes of the energy counter cover " + format_fixed(100 * integral.coverage, 1) +
                      " % of the window, at least " + format_fixed(100 * kMinCounterCoverage, 0) +
                      " % are needed";
    return integral;
  }
  integral.energy_j = stop.energy_j - start.energy_j;
  return integral;
}

}  // namespace cbnet::energy
