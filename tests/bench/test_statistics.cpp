#include <doctest/doctest.h>

#include <array>
#include <stdexcept>
#include <vector>

#include "bench/statistics.h"

using namespace cbnet::bench;

TEST_CASE("statistics: wrong use throws") {
  const std::vector<double> none;
  const std::vector<double> one{1.0};
  const std::array<double, 1> wrong{101.0};
  CHECK_THROWS_AS(mean(none), std::invalid_argument);
  CHECK_THROWS_AS(half_range(none), std::invalid_argument);
  CHECK_THROWS_AS(median(none), std::invalid_argument);
  CHECK_THROWS_AS(percentiles(none, std::array<double, 1>{50.0}), std::invalid_argument);
  CHECK_THROWS_AS(percentiles(one, wrong), std::invalid_argument);
  CHECK_THROWS_AS(interval95(one), std::invalid_argument);
}

TEST_CASE("statistics: mean and half range") {
  const std::vector<double> values{3.0, 1.0, 8.0};
  CHECK(mean(values) == doctest::Approx(4.0));
  CHECK(half_range(values) == doctest::Approx(3.5));
  CHECK(half_range(std::vector<double>{2.0}) == 0.0);
  CHECK(median(values) == 3.0);
  CHECK(median(std::vector<double>{1.0, 4.0}) == 2.5);
}

TEST_CASE("statistics: percentiles are those of NumPy's default") {
  // numpy.percentile([15, 20, 35, 40, 50], [0, 10, 40, 50, 90, 100])
  const std::vector<double> got =
      percentiles({50, 15, 40, 20, 35}, std::array<double, 6>{0, 10, 40, 50, 90, 100});
  const std::vector<double> wanted{15, 17, 29, 35, 46, 50};
  REQUIRE(got.size() == wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == doctest::Approx(wanted[i]));
  CHECK(percentiles({7.0}, std::array<double, 2>{1, 99}) == std::vector<double>{7.0, 7.0});
}

TEST_CASE("statistics: the median hides what the mean shows") {
  // An early exit: nine easy images, one hard.
  std::vector<double> values(9, 100.0);
  values.push_back(1100.0);
  CHECK(mean(values) == doctest::Approx(200.0));
  CHECK(percentiles(values, std::array<double, 1>{50.0})[0] == doctest::Approx(100.0));
}

TEST_CASE("statistics: the 95 % interval is Student's") {
  // scipy.stats.t.ppf(0.975, 4) * numpy.std([1, 2, 3, 4, 5], ddof=1) / sqrt(5)
  CHECK(interval95(std::vector<double>{1, 2, 3, 4, 5}) == doctest::Approx(1.9632).epsilon(1e-3));
  CHECK(interval95(std::vector<double>{0, 2}) == doctest::Approx(12.706));
  CHECK(interval95(std::vector<double>{7, 7, 7}) == 0.0);
}
