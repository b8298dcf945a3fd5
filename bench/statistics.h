#pragma once

#include <span>
#include <vector>

namespace cbnet::bench {

/// Returns the arithmetic mean. Throws std::invalid_argument when there are no values, as all of these do.
double mean(std::span<const double> values);

/// Returns the values at the given percents (0 … 100) by linear interpolation between the two nearest ranks,
/// rank p/100 * (n - 1) counted from 0 (Hyndman and Fan 1996, type 7; the default of NumPy and R).
std::vector<double> percentiles(std::vector<double> values, std::span<const double> percents);

/// Returns the 50th percentile.
double median(std::span<const double> values);

/// Returns half the range, (max - min) / 2: what stands after ± for a handful of blocks.
double half_range(std::span<const double> values);

/// Returns half the width of the 95 % confidence interval of the mean by Student's t: what stands after ± for
/// a handful of seeds. Throws std::invalid_argument for fewer than two values.
double interval95(std::span<const double> values);

}  // namespace cbnet::bench
