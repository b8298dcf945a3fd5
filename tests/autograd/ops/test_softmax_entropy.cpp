#include "autograd/ops/softmax_entropy.h"

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>
#include <utility>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_softmax_entropy() {
  const auto call = [](const std::vector<Variable>& in) { return softmax_entropy(in[0]); };
  return {
      {.name = "one class", .inputs = {random({1, 1}, 1)}, .call = call, .expect_all_zero = true},
      {.name = "one row", .inputs = {random({1, 10}, 2, -3.0, 3.0)}, .call = call},
      {.name = "rows of 13", .inputs = {random({7, 13}, 3, -3.0, 3.0)}, .call = call},
      {.name = "rows of 37", .inputs = {random({2, 37}, 4, -3.0, 3.0)}, .call = call},
      {.name = "no rows", .inputs = {random({0, 10}, 5)}, .call = call, .expect_all_zero = true},
      {.name = "large",
       .inputs = {random({3000, 10}, 6, -3.0, 3.0)},
       .call = call,
       .large = true,
       .thread_tolerance = 0.0,
       .reason = "no sum is split over threads"},
  };
}

TEST_CASE("softmax_entropy: wrong use throws") {
  CHECK_THROWS_WITH_AS(softmax_entropy(Variable(Tensor::zeros({3}))),
                       "[softmax_entropy] logits must be (N, C) with C > 0; got (3)", std::invalid_argument);
  CHECK_THROWS_WITH_AS(softmax_entropy(Variable(Tensor::zeros({2, 0}))),
                       "[softmax_entropy] logits must be (N, C) with C > 0; got (2,0)",
                       std::invalid_argument);
}

TEST_CASE("softmax_entropy: closed form") {
  // Probabilities 1/4, 3/4; then equal ones, where the entropy is at its top and the gradient 0.
  const Variable logits = leaf(values({7, 7 + std::log(3.0), -2, -2}, {2, 2}));
  Variable y = softmax_entropy(logits);
  CHECK(y.shape() == Shape{2});
  const double entropy = 0.25 * std::log(4.0) + 0.75 * std::log(4.0 / 3);
  CHECK(y.value().at({0}) == doctest::Approx(entropy).epsilon(1e-14));
  CHECK(y.value().at({1}) == doctest::Approx(std::log(2.0)).epsilon(1e-14));
  y.backward(values({2, 1}, {2}));
  const std::vector<double> dx = logits.grad().to_vector<double>();
  CHECK(dx[0] == doctest::Approx(-2 * 0.25 * (std::log(0.25) + entropy)).epsilon(1e-14));
  CHECK(dx[1] == doctest::Approx(-2 * 0.75 * (std::log(0.75) + entropy)).epsilon(1e-14));
  CHECK(std::abs(dx[2]) < 1e-15);
  CHECK(std::abs(dx[3]) < 1e-15);
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor equal = softmax_entropy(Variable(Tensor::full({3, 10}, 4.0, dtype))).value();
    for (const double value : equal.to_vector<double>()) CHECK(value == doctest::Approx(std::log(10.0)));
  }
}

TEST_CASE("softmax_entropy: special values") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto run = [dtype](std::initializer_list<double> row) {
      const Variable logits = leaf(values(row, {1, static_cast<std::int64_t>(row.size())}).to(dtype));
      Variable y = softmax_entropy(logits);
      y.backward(Tensor::ones({1}, dtype));
      return std::pair{y.value().at({0}), logits.grad().to_vector<double>()};
    };
    CHECK(run({1000, 0}) == std::pair{0.0, std::vector<double>{0, 0}});
    CHECK(run({0, -kInfinity}) == std::pair{0.0, std::vector<double>{0, 0}});
    CHECK(run({1e30, -1e30, 0}) == std::pair{0.0, std::vector<double>{0, 0, 0}});
    CHECK(run({5}) == std::pair{0.0, std::vector<double>{0}});
    // A sure classifier: 2 classes 20 apart leave e^-20 (1 + 20), which f32 must not round to 0.
    CHECK(run({20, 0}).first == doctest::Approx(21 * std::exp(-20.0)).epsilon(0.06));
    CHECK(is_nan(run({-kInfinity, -kInfinity}).first));
    CHECK(is_nan(run({0, kNan}).first));
    CHECK(is_nan(run({0, kInfinity}).first));
  }
  CHECK(softmax_entropy(Variable(Tensor::zeros({0, 10}))).shape() == Shape{0});
}

}  // namespace cbnet::testing
