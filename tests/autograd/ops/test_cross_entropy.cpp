#include "autograd/ops/cross_entropy.h"

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_cross_entropy() {
  // Labels 0, 3, 6, … modulo the classes.
  const auto loss = [](std::int64_t n, std::int64_t classes, double smoothing = 0.0) {
    return [=](const std::vector<Variable>& in) {
      std::vector<std::int64_t> labels;
      for (std::int64_t row = 0; row < n; ++row) labels.push_back(3 * row % classes);
      return cross_entropy(in[0], Tensor::from(labels, {n}), smoothing);
    };
  };
  return {
      {.name = "one class", .inputs = {random({1, 1}, 1)}, .call = loss(1, 1), .expect_all_zero = true},
      {.name = "one row", .inputs = {random({1, 10}, 2, -4.0, 4.0)}, .call = loss(1, 10)},
      {.name = "rows of 13", .inputs = {random({7, 13}, 3, -4.0, 4.0)}, .call = loss(7, 13)},
      {.name = "smoothed", .inputs = {random({7, 10}, 4, -4.0, 4.0)}, .call = loss(7, 10, 0.1)},
      {.name = "labels ignored", .inputs = {random({3, 5}, 5, -4.0, 4.0)}, .call = loss(3, 5, 1.0)},
      {.name = "large",
       .inputs = {random({2000, 13}, 6, -4.0, 4.0)},
       .call = loss(2000, 13, 0.1),
       .large = true,
       .thread_tolerance = 0.0,
       .reason = "no sum is split over threads"},
  };
}

namespace {

Tensor labels_of(std::initializer_list<std::int64_t> labels) {
  return Tensor::from<std::int64_t>(labels, {static_cast<std::int64_t>(labels.size())});
}

}  // namespace

TEST_CASE("cross_entropy: wrong use throws") {
  const Variable logits(Tensor::zeros({2, 3}));
  CHECK_THROWS_WITH_AS(cross_entropy(Variable(Tensor::zeros({3})), labels_of({0})),
                       "[cross_entropy] logits must be (N, C) with C > 0; got (3)", std::invalid_argument);
  CHECK_THROWS_WITH_AS(cross_entropy(Variable(Tensor::zeros({2, 0})), labels_of({0, 0})),
                       doctest::Contains("with C > 0; got (2,0)"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(cross_entropy(logits, labels_of({0})),
                       "[cross_entropy] labels must be i64 (N); got logits (2,3), labels i64 (1)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(cross_entropy(logits, Tensor::zeros({2}, DType::i32)),
                       doctest::Contains("labels must be i64 (N); got logits (2,3), labels i32 (2)"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(cross_entropy(logits, Tensor()), doctest::Contains("labels undefined"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(cross_entropy(Variable(Tensor::zeros({0, 3})), Tensor::zeros({0}, DType::i64)),
                       "[cross_entropy] there is no mean over an empty batch; got (0,3)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(cross_entropy(logits, labels_of({0, 3})),
                       "[cross_entropy] labels must be in [0,3); got 3 in row 1", std::invalid_argument);
  CHECK_THROWS_WITH_AS(cross_entropy(logits, labels_of({-1, 0})),
                       "[cross_entropy] labels must be in [0,3); got -1 in row 0", std::invalid_argument);
  CHECK_THROWS_WITH_AS(cross_entropy(logits, labels_of({0, 1}), 1.5),
                       "[cross_entropy] label_smoothing must be in [0, 1]; got 1.5", std::invalid_argument);
  CHECK_THROWS_AS(cross_entropy(logits, labels_of({0, 1}), kNan), std::invalid_argument);
}

TEST_CASE("cross_entropy: closed form") {
  // Probabilities 1/6, 2/6, 3/6 and 1/4, 1/4, 2/4.
  const Tensor x = values({0, std::log(2.0), std::log(3.0), 5, 5, 5 + std::log(2.0)}, {2, 3});
  const Tensor labels = labels_of({2, 0});
  SUBCASE("hard labels") {
    const Variable logits = leaf(x);
    Variable loss = cross_entropy(logits, labels);
    CHECK(loss.shape() == Shape{});
    CHECK(loss.value().item() == doctest::Approx((std::log(2.0) + std::log(4.0)) / 2).epsilon(1e-14));
    loss.backward();
    const std::vector<double> expected = {1.0 / 12, 2.0 / 12, -3.0 / 12, -3.0 / 8, 1.0 / 8, 2.0 / 8};
    for (std::size_t i = 0; i < 6; ++i) {
      CHECK(logits.grad().to_vector<double>()[i] == doctest::Approx(expected[i]).epsilon(1e-14));
    }
  }
  SUBCASE("smoothed by 0.3: 0.7 for the label, 0.1 for every class") {
    const double first = 0.7 * std::log(2.0) + 0.1 * (std::log(6.0) + std::log(3.0) + std::log(2.0));
    const double second = 0.7 * std::log(4.0) + 0.1 * (std::log(4.0) + std::log(4.0) + std::log(2.0));
    CHECK(cross_entropy(Variable(x), labels, 0.3).value().item() ==
          doctest::Approx((first + second) / 2).epsilon(1e-14));
  }
}

TEST_CASE("cross_entropy: special values") {
  const auto loss = [](std::initializer_list<double> row, double smoothing = 0.0) {
    const Tensor x = values(row, {1, static_cast<std::int64_t>(row.size())});
    return cross_entropy(Variable(x), labels_of({0}), smoothing).value().item();
  };
  CHECK(loss({1000, 0}) == 0.0);
  CHECK(loss({0, 1000}) == 1000.0);
  CHECK(loss({0, 0, -kInfinity}) == doctest::Approx(std::log(2.0)));
  CHECK(loss({0, -kInfinity}, 0.1) == kInfinity);
  CHECK(loss({-kInfinity, 0}) == kInfinity);
  CHECK(is_nan(loss({-kInfinity, -kInfinity})));
  CHECK(is_nan(loss({0, kNan})));
}

TEST_CASE("cross_entropy: labels may be a view, and may change before the backward pass") {
  Tensor every = labels_of({2, -9, 0, -9});
  const Tensor x = random({2, 3}, 1);
  const Variable logits = leaf(x);
  Variable loss = cross_entropy(logits, every.slice(0, 0, 4, 2));
  CHECK(loss.value().item() == cross_entropy(Variable(x), labels_of({2, 0})).value().item());
  every.fill(-9);
  loss.backward();
  CHECK(logits.grad().at({0, 2}) < 0.0);
  CHECK(logits.grad().at({1, 0}) < 0.0);
}

}  // namespace cbnet::testing
