#include "bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/error.h"

namespace cbnet::bench {

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
  // These are the 97.5th percentiles of Student's t with 1, 2, … degrees of freedom, then the normal one.
  constexpr double kStudent[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228};
  const std::size_t freedom = values.size() - 1;
  const double middle = mean(values);
  double squares = 0.0;
  for (const double value : values) squares += (value - middle) * (value - middle);
  const auto n = static_cast<double>(values.size());
  return (freedom <= std::size(kStudent) ? kStudent[freedom - 1] : 1.96) * std::sqrt(squares / (n - 1) / n);
}

}  // namespace cbnet::bench
