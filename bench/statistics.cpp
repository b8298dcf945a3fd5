#include "bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "tensor/error.h"

namespace cbnet::bench {
namespace {

/// Returns the 97.5th percentile of Student's t. Between the listed degrees of freedom the value of the lower
/// one stands, which makes an interval a little wider.
double t_975(std::size_t degrees) {
  constexpr double kFirst[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                               2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086};
  constexpr double kNormal = 1.959964;
  if (degrees <= std::size(kFirst)) return kFirst[degrees - 1];
  return degrees <= 120 ? kFirst[std::size(kFirst) - 1] : kNormal;
}

}  // namespace

double mean(std::span<const double> values) {
  require(!values.empty(), "statistics", "the mean needs at least one value; got none");
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::vector<double> percentiles(std::vector<double> values, std::span<const double> percents) {
  require(!values.empty(), "statistics", "percentiles need at least one value; got none");
  std::sort(values.begin(), values.end());
  std::vector<double> out;
  out.reserve(percents.size());
  for (const double percent : percents) {
    require(percent >= 0 && percent <= 100, "statistics", "a percent is 0 to 100; got ", percent);
    const double rank = percent / 100 * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(std::floor(rank));
    const std::size_t above = std::min(below + 1, values.size() - 1);
    const double fraction = rank - std::floor(rank);
    out.push_back(values[below] + fraction * (values[above] - values[below]));
  }
  return out;
}

double median(std::span<const double> values) {
  constexpr double kMedian[] = {50.0};
  return percentiles({values.begin(), values.end()}, kMedian)[0];
}

double half_range(std::span<const double> values) {
  require(!values.empty(), "statistics", "the range needs at least one value; got none");
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return (*high - *low) / 2;
}

double interval95(std::span<const double> values) {
  require(values.size() >= 2, "statistics", "an interval of the mean needs two values; got ", values.size());
  const double middle = mean(values);
  double squares = 0.0;
  for (const double value : values) squares += (value - middle) * (value - middle);
  const auto n = static_cast<double>(values.size());
  return t_975(values.size() - 1) * std::sqrt(squares / (n - 1.0) / n);
}

Interval mean_interval(std::span<const double> values) {
  const double middle = mean(values);
  if (values.size() < 2) return {-HUGE_VAL, HUGE_VAL};
  const double half = interval95(values);
  return {middle - half, middle + half};
}

Interval wilson_interval(double hits, double trials) {
  require(trials > 0.0 && hits >= 0.0 && hits <= trials, "statistics", "expected 0 to ", trials,
          " hits of at least one trial; got ", hits);
  constexpr double z = 1.959964;
  const double p = hits / trials;
  const double middle = p + z * z / (2.0 * trials);
  const double half = z * std::sqrt(p * (1.0 - p) / trials + z * z / (4.0 * trials * trials));
  const double whole = 1.0 + z * z / trials;
  return {(middle - half) / whole, (middle + half) / whole};
}

double mcnemar_p(std::int64_t only_first, std::int64_t only_second) {
  require(only_first >= 0 && only_second >= 0, "statistics", "counts are not negative; got ", only_first,
          " and ", only_second);
  const std::int64_t n = only_first + only_second, fewer = std::min(only_first, only_second);
  // Twice the tail of n fair coins, each term from its logarithm, which does not overflow.
  double tail = 0.0;
  for (std::int64_t k = 0; k <= fewer; ++k) {
    const auto heads = static_cast<double>(k), all = static_cast<double>(n);
    tail += std::exp(std::lgamma(all + 1.0) - std::lgamma(heads + 1.0) - std::lgamma(all - heads + 1.0) -
                     all * std::log(2.0));
  }
  return std::min(1.0, 2.0 * tail);
}

}  // namespace cbnet::bench
