#include "autograd/ops/concat.h"

#include <doctest/doctest.h>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_concat() {
  const auto along = [](std::int64_t axis) {
    return [axis](const std::vector<Variable>& in) { return concat(in, axis); };
  };
  return {
      {.name = "one", .inputs = {random({1}, 1)}, .call = along(0)},
      {.name = "two", .inputs = {random({1, 3}, 2), random({2, 3}, 3)}, .call = along(0)},
      {.name = "odd",
       .inputs = {random({2, 7, 3}, 4), random({2, 13, 3}, 5), random({2, 1, 3}, 6)},
       .call = along(1)},
      {.name = "last axis", .inputs = {random({3, 2}, 7), random({3, 5}, 8)}, .call = along(-1)},
      {.name = "one frozen",
       .inputs = {random({3, 2}, 9), random({3, 5}, 10)},
       .call = along(1),
       .needs_grad = {false, true}},
      {.name = "empty part", .inputs = {random({3, 0}, 11), random({3, 2}, 12)}, .call = along(1)},
      {.name = "all empty",
       .inputs = {random({0, 2}, 13), random({0, 3}, 14)},
       .call = along(1),
       .expect_all_zero = true},
      {.name = "large",
       .inputs = {random({65, 1033}, 15), random({65, 517}, 16)},
       .call = along(1),
       .large = true},
  };
}

TEST_CASE("concat: wrong use throws") {
  const Variable x(random({2, 3}, 1));
  CHECK_THROWS_WITH_AS(concat(std::vector<Variable>{}, 0), "[concat] expected at least one input; got none",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(concat({x, Variable(random({2, 4}, 1))}, 0),
                       "[concat] sizes must agree on all axes but 0; got (2,3) and (2,4)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(concat({x, Variable(random({2}, 1))}, 1),
                       "[concat] sizes must agree on all axes but 1; got (2,3) and (2)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(concat({x, x}, 2), "[concat] axis must be in [-2, 1]; got 2", std::invalid_argument);
  CHECK_THROWS_AS(concat({Variable(random({}, 1))}, 0), std::invalid_argument);
}

TEST_CASE("concat: values and gradients by hand") {
  const Variable a = leaf(values({1, 2, 3, 4}, {2, 2}));
  const Variable b = leaf(values({5, 6}, {2, 1}));
  const std::vector<Variable> parts = {a, b};
  Variable y = concat(parts, 1);
  CHECK(y.value().to_vector<double>() == std::vector<double>{1, 2, 5, 3, 4, 6});
  y.backward(values({10, 20, 30, 40, 50, 60}, {2, 3}));
  CHECK(a.grad().to_vector<double>() == std::vector<double>{10, 20, 40, 50});
  CHECK(b.grad().to_vector<double>() == std::vector<double>{30, 60});
}

TEST_CASE("concat: a variable beside itself gets both parts of the gradient") {
  const Variable a = leaf(values({1, 2}, {2}));
  Variable y = concat({a, a}, std::size_t{0});
  y.backward(values({1, 2, 10, 20}, {4}));
  CHECK(a.grad().to_vector<double>() == std::vector<double>{11, 22});
}

TEST_CASE("concat: special values") {
  const Tensor y = concat({Variable(values({kNan}, {1})), Variable(values({-kInfinity}, {1}))}, 0).value();
  CHECK(is_nan(y.at({0})));
  CHECK(y.at({1}) == -kInfinity);
  CHECK(concat({Variable(random({0, 2}, 1)), Variable(random({0, 2}, 1))}, 0).shape() == Shape{0, 2});
}

}  // namespace cbnet::testing
