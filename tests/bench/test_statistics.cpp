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

TEST_CASE("statistics: the interval of a mean is Student's") {
  // scipy.stats.t.interval(0.95, 4, loc=mean, scale=sem) of 1, 2, 3, 4, 5; the table here has three decimals.
  const Interval five = mean_interval(std::vector<double>{1, 2, 3, 4, 5});
  CHECK(five.low == doctest::Approx(1.0368).epsilon(1e-3));
  CHECK(five.high == doctest::Approx(4.9632).epsilon(1e-3));
  CHECK(five.holds(1.04));
  CHECK_FALSE(five.holds(1.03));
  CHECK(mean_interval(std::vector<double>{7.0}).holds(-1e300));
  CHECK(mean_interval(std::vector<double>{2, 2, 2}).low == 2.0);
  CHECK_THROWS_AS(mean_interval(std::vector<double>{}), std::invalid_argument);
  std::vector<double> many(30, 0.0);
  many[0] = 1.0;
  CHECK(mean_interval(many).high > mean(many));
}

TEST_CASE("statistics: Wilson's interval stays within 0 and 1") {
  // By hand for 0 of 10: z^2 / (10 + z^2).
  CHECK(wilson_interval(0, 10).low == doctest::Approx(0.0));
  CHECK(wilson_interval(0, 10).high == doctest::Approx(0.27753).epsilon(1e-4));
  CHECK(wilson_interval(10, 10).high == doctest::Approx(1.0));
  CHECK(wilson_interval(8970, 10000).low == doctest::Approx(0.8909).epsilon(1e-4));
  CHECK(wilson_interval(8970, 10000).high == doctest::Approx(0.9028).epsilon(1e-4));
  CHECK_THROWS_AS(wilson_interval(3, 2), std::invalid_argument);
  CHECK_THROWS_AS(wilson_interval(0, 0), std::invalid_argument);
}

TEST_CASE("statistics: McNemar's test is exact") {
  CHECK(mcnemar_p(0, 0) == 1.0);
  CHECK(mcnemar_p(5, 5) == 1.0);
  CHECK(mcnemar_p(0, 5) == doctest::Approx(2.0 / 32));
  CHECK(mcnemar_p(1, 9) == doctest::Approx(2.0 * 11 / 1024));
  CHECK(mcnemar_p(9, 1) == mcnemar_p(1, 9));
  CHECK(mcnemar_p(3000, 3300) < 0.001);
  CHECK_THROWS_AS(mcnemar_p(-1, 2), std::invalid_argument);
}

TEST_CASE("statistics: the 95 % interval is Student's") {
  // scipy.stats.t.ppf(0.975, 4) * numpy.std([1, 2, 3, 4, 5], ddof=1) / sqrt(5)
  CHECK(interval95(std::vector<double>{1, 2, 3, 4, 5}) == doctest::Approx(1.9632).epsilon(1e-3));
  CHECK(interval95(std::vector<double>{0, 2}) == doctest::Approx(12.706));
  CHECK(interval95(std::vector<double>{7, 7, 7}) == 0.0);
}
