#include "autograd/ops/transpose.h"

#include <doctest/doctest.h>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_transpose() {
  const auto by = [](const std::vector<std::int64_t>& permutation) {
    return [permutation](const std::vector<Variable>& in) { return transpose(in[0], permutation); };
  };
  return {
      {.name = "one", .inputs = {random({1, 1}, 1)}, .call = by({1, 0})},
      {.name = "scalar", .inputs = {random({}, 2)}, .call = by({})},
      {.name = "odd", .inputs = {random({7, 13}, 3)}, .call = by({1, 0})},
      {.name = "cycle", .inputs = {random({2, 3, 5}, 4)}, .call = by({2, 0, 1})},
      {.name = "negative", .inputs = {random({2, 3, 5, 1}, 5)}, .call = by({-3, 0, -1, 2})},
      {.name = "two axes",
       .inputs = {random({2, 3, 5}, 6)},
       .call = [](const std::vector<Variable>& in) { return transpose(in[0], 0, -1); }},
      {.name = "empty", .inputs = {random({0, 3}, 7)}, .call = by({1, 0}), .expect_all_zero = true},
      {.name = "large", .inputs = {random({127, 1033}, 8)}, .call = by({1, 0}), .large = true},
  };
}

TEST_CASE("transpose: wrong use throws") {
  const Variable x(random({2, 3}, 1));
  CHECK_THROWS_WITH_AS(
      transpose(x, {0, 2, 1}),
      "[transpose] the permutation must name every axis once; got x (2,3), permutation (0,2,1)",
      std::invalid_argument);
  CHECK_THROWS_WITH_AS(
      transpose(x, {1, -1}),
      "[transpose] the permutation must name every axis once; got x (2,3), permutation (1,-1)",
      std::invalid_argument);
  CHECK_THROWS_WITH_AS(transpose(x, {0, 2}), "[transpose] axis must be in [-2, 1]; got 2",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(transpose(x, 0, 2), "[transpose] axis must be in [-2, 1]; got 2",
                       std::invalid_argument);
}

TEST_CASE("transpose: a view whose gradient goes back the same way") {
  const Variable x = leaf(values({1, 2, 3, 4, 5, 6}, {2, 3}));
  Variable y = transpose(x, {1, 0});
  CHECK(y.shape() == Shape{3, 2});
  CHECK(y.value().shares_storage(x.value()));
  CHECK(y.value().to_vector<double>() == std::vector<double>{1, 4, 2, 5, 3, 6});
  y.backward(values({1, 2, 3, 4, 5, 6}, {3, 2}));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{1, 3, 5, 2, 4, 6});
}

TEST_CASE("transpose: axis i of the result is axis permutation[i]") {
  const Variable x(random({2, 3, 5}, 1));
  const Tensor y = transpose(x, {2, 0, 1}).value();
  CHECK(y.shape() == Shape{5, 2, 3});
  CHECK(y.at({4, 1, 2}) == x.value().at({1, 2, 4}));
  CHECK(transpose(x, 0, 2).shape() == Shape{5, 3, 2});
}

TEST_CASE("transpose: special values") {
  const Tensor y = transpose(Variable(values({kNan, kInfinity}, {1, 2})), 0, 1).value();
  CHECK(is_nan(y.at({0, 0})));
  CHECK(y.at({1, 0}) == kInfinity);
  CHECK(transpose(Variable(random({0, 3}, 1)), 0, 1).shape() == Shape{3, 0});
}

}  // namespace cbnet::testing
