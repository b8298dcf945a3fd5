#include "autograd/ops/softmax.h"

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_softmax() {
  const auto along = [](std::int64_t axis) {
    return [axis](const std::vector<Variable>& in) { return softmax(in[0], axis); };
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

TEST_CASE("softmax: wrong use throws") {
  const auto call = [](const Shape& shape, std::int64_t axis) {
    return softmax(Variable(Tensor::zeros(shape)), axis);
  };
  CHECK_THROWS_WITH_AS(call({2, 3}, 2), doctest::Contains("[softmax]"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({2, 3}, -3), doctest::Contains("[softmax]"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({}, -1), doctest::Contains("[softmax]"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({2, 0}, -1),
                       "[softmax] there must be something along the axis; got x (2,0), axis -1",
                       std::invalid_argument);
}

TEST_CASE("softmax: closed form") {
  // Powers of e in the proportions 1 : 2 : 3 and 1 : 1 : 2.
  const Tensor x = values({0, std::log(2.0), std::log(3.0), 5, 5, 5 + std::log(2.0)}, {2, 3});
  const std::vector<double> expected = {1.0 / 6, 2.0 / 6, 3.0 / 6, 0.25, 0.25, 0.5};
  const Variable in = leaf(x);
  Variable y = softmax(in);
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(y.value().to_vector<double>()[i] == doctest::Approx(expected[i]).epsilon(1e-15));
  }
  // dx = y (dy - sum(dy y)): dy picks the first element of each row.
  y.backward(values({1, 0, 0, 1, 0, 0}, {2, 3}));
  const std::vector<double> dx = {5.0 / 36, -2.0 / 36, -3.0 / 36, 3.0 / 16, -1.0 / 16, -2.0 / 16};
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(in.grad().to_vector<double>()[i] == doctest::Approx(dx[i]).epsilon(1e-14));
  }
  // Along the other axis of the transpose the same numbers come out.
  const Tensor across = softmax(Variable(x.transpose(0, 1)), 0).value();
  for (std::int64_t row = 0; row < 2; ++row) {
    for (std::int64_t c = 0; c < 3; ++c) CHECK(across.at({c, row}) == y.value().at({row, c}));
  }
}

TEST_CASE("softmax: rows sum to 1 in f32, whatever their size") {
  for (const double scale : {1.0, 30.0, 1e4}) {
    const Tensor x = random({5, 784}, 1, -scale, scale).to(DType::f32);
    const std::vector<double> y = softmax(Variable(x)).value().to_vector<double>();
    for (std::size_t row = 0; row < 5; ++row) {
      double sum = 0.0;
      for (std::size_t c = 0; c < 784; ++c) sum += y[row * 784 + c];
      CHECK(sum == doctest::Approx(1.0).epsilon(1e-5));
    }
  }
}

TEST_CASE("softmax: special values") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto y = [dtype](std::initializer_list<double> x) {
      return softmax(Variable(values(x, {static_cast<std::int64_t>(x.size())}).to(dtype)))
          .value()
          .to_vector<double>();
    };
    CHECK(y({1000, 1000}) == std::vector<double>{0.5, 0.5});
    CHECK(y({-1000, -1000}) == std::vector<double>{0.5, 0.5});
    CHECK(y({0, 1000}) == std::vector<double>{0, 1});
    CHECK(y({0, -1e30, -kInfinity}) == std::vector<double>{1, 0, 0});
    CHECK(y({3}) == std::vector<double>{1});
    for (const double v : y({-kInfinity, -kInfinity})) CHECK(is_nan(v));
    for (const double v : y({0, kNan, 1})) CHECK(is_nan(v));
    for (const double v : y({kNan, 0, 1})) CHECK(is_nan(v));
    for (const double v : y({0, kInfinity})) CHECK(is_nan(v));
  }
  CHECK(softmax(Variable(Tensor::zeros({0, 3}))).shape() == Shape{0, 3});
  CHECK(softmax(Variable(Tensor::zeros({2, 3, 0})), 1).shape() == Shape{2, 3, 0});
}

}  // namespace cbnet::testing
