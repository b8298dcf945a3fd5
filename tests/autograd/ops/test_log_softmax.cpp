#include "autograd/ops/log_softmax.h"

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_log_softmax() {
  const auto along = [](std::int64_t axis) {
    return [axis](const std::vector<Variable>& in) { return log_softmax(in[0], axis); };
  };
  return {
      {.name = "one class", .inputs = {random({1, 1}, 1)}, .call = along(-1), .expect_all_zero = true},
      {.name = "one row", .inputs = {random({7}, 2)}, .call = along(0)},
      {.name = "rows of 13", .inputs = {random({7, 13}, 3, -4.0, 4.0)}, .call = along(-1)},
      {.name = "rows of 37", .inputs = {random({3, 37}, 4, -4.0, 4.0)}, .call = along(1)},
      {.name = "first axis", .inputs = {random({7, 13}, 5, -4.0, 4.0)}, .call = along(0)},
      {.name = "middle axis", .inputs = {random({2, 5, 7}, 6, -4.0, 4.0)}, .call = along(-2)},
      {.name = "no rows", .inputs = {random({0, 3}, 7)}, .call = along(-1), .expect_all_zero = true},
      {.name = "large",
       .inputs = {random({64, 784}, 8, -4.0, 4.0)},
       .call = along(-1),
       .large = true,
       .thread_tolerance = 0.0,
       .reason = "no sum is split over threads"},
      {.name = "large, middle axis",
       .inputs = {random({30, 10, 130}, 9, -4.0, 4.0)},
       .call = along(1),
       .large = true,
       .thread_tolerance = 0.0,
       .reason = "no sum is split over threads"},
  };
}

TEST_CASE("log_softmax: wrong use throws") {
  const auto call = [](const Shape& shape, std::int64_t axis) {
    return log_softmax(Variable(Tensor::zeros(shape)), axis);
  };
  CHECK_THROWS_WITH_AS(call({2, 3}, 2), doctest::Contains("[log_softmax]"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({2, 3}, -3), doctest::Contains("[log_softmax]"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({}, -1), doctest::Contains("[log_softmax]"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({2, 0}, -1),
                       "[log_softmax] there must be something along the axis; got x (2,0), axis -1",
                       std::invalid_argument);
}

TEST_CASE("log_softmax: closed form") {
  // Powers of e in the proportions 1 : 2 : 3.
  const Variable in = leaf(values({1, 1 + std::log(2.0), 1 + std::log(3.0)}, {1, 3}));
  Variable y = log_softmax(in);
  const std::vector<double> expected = {-std::log(6.0), -std::log(3.0), -std::log(2.0)};
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(y.value().to_vector<double>()[i] == doctest::Approx(expected[i]).epsilon(1e-14));
  }
  // dx = dy - exp(y) sum(dy).
  y.backward(values({1, 0, 2}, {1, 3}));
  const std::vector<double> dx = {1 - 3.0 / 6, -3.0 / 3, 2 - 3.0 / 2};
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(in.grad().to_vector<double>()[i] == doctest::Approx(dx[i]).epsilon(1e-14));
  }
}

TEST_CASE("log_softmax: special values") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto y = [dtype](std::initializer_list<double> x) {
      return log_softmax(Variable(values(x, {static_cast<std::int64_t>(x.size())}).to(dtype)))
          .value()
          .to_vector<double>();
    };
    // softmax would underflow to 0 here, and its logarithm to -inf.
    CHECK(y({0, 1000}) == std::vector<double>{-1000, 0});
    CHECK(y({-2000, -1000}) == std::vector<double>{-1000, 0});
    CHECK(y({0, -kInfinity}) == std::vector<double>{0, -kInfinity});
    CHECK(y({3}) == std::vector<double>{0});
    for (const double v : y({-kInfinity, -kInfinity})) CHECK(is_nan(v));
    for (const double v : y({0, kNan, 1})) CHECK(is_nan(v));
    for (const double v : y({0, kInfinity})) CHECK(is_nan(v));
  }
  CHECK(log_softmax(Variable(Tensor::zeros({0, 3}))).shape() == Shape{0, 3});
}

}  // namespace cbnet::testing
