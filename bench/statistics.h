#pragma once

#include <cstdint>
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

/// These are the ends of a 95 % confidence interval.
struct Interval {
  double low = 0.0, high = 0.0;
  bool holds(double value) const { return low <= value && value <= high; }
};

/// Returns the interval of the mean of the distribution that the values were drawn from, by Student's t with
/// one degree of freedom less than there are values. One value tells nothing of it: the ends are infinite.
Interval mean_interval(std::span<const double> values);

/// Returns the interval of the probability behind `hits` out of `trials` (Wilson 1927). Throws
/// std::invalid_argument unless 0 <= hits <= trials and trials > 0.
Interval wilson_interval(double hits, double trials);

/// Returns the probability that two classifiers that are equally good differ at least so much on the same
/// images: `only_first` were right with the first alone, `only_second` with the second alone (McNemar's test,
/// exact and two-sided). Throws std::invalid_argument for a negative count.
double mcnemar_p(std::int64_t only_first, std::int64_t only_second);

}  // namespace cbnet::bench
