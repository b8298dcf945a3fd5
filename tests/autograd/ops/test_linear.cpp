#include "autograd/ops/linear.h"

#include <doctest/doctest.h>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_linear() {
  const auto call = [](const std::vector<Variable>& in) {
    return linear(in[0], in[1], in.size() == 3 ? in[2] : Variable());
  };
  return {
      {.name = "one", .inputs = {random({1, 1}, 1), random({1, 1}, 2), random({1}, 3)}, .call = call},
      {.name = "odd", .inputs = {random({7, 13}, 4), random({5, 13}, 5), random({5}, 6)}, .call = call},
      {.name = "no bias", .inputs = {random({3, 7}, 7), random({2, 7}, 8)}, .call = call},
      {.name = "frozen x",
       .inputs = {random({3, 7}, 9), random({2, 7}, 10), random({2}, 11)},
       .call = call,
       .needs_grad = {false, true, true}},
      {.name = "no rows",
       .inputs = {random({0, 3}, 12), random({2, 3}, 13), random({2}, 14)},
       .call = call,
       .expect_all_zero = true},
      {.name = "no features",
       .inputs = {random({3, 0}, 15), random({2, 0}, 16), random({2}, 17)},
       .call = call},
      {.name = "large",
       .inputs = {random({65, 129}, 18), random({67, 129}, 19), random({67}, 20)},
       .call = call,
       .large = true,
       .view_tolerance = 1e-12,
       .reason = "db sums a strided dy in another order"},
  };
}

TEST_CASE("linear: wrong use throws") {
  const Variable x(random({2, 3}, 1));
  const Variable weight(random({4, 3}, 2));
  CHECK_THROWS_WITH_AS(linear(Variable(random({3}, 1)), weight),
                       "[linear] x and weight must have 2 axes; got x (3), weight (4,3)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(linear(x, Variable(random({3, 4}, 1))),
                       "[linear] input features must equal weight's second size; got x (2,3), weight (3,4)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(linear(x, weight, Variable(random({3}, 1))),
                       "[linear] bias must be (out); got weight (4,3), bias (3)", std::invalid_argument);
  CHECK_THROWS_WITH_AS(linear(x, Variable(weight.value().to(DType::f32))),
                       "[linear] inputs must all be f32 or all f64; got f64 (2,3) and f32 (4,3)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(linear(Variable(), weight), "[linear] undefined input", std::invalid_argument);
}

TEST_CASE("linear: values and gradients by hand") {
  const Variable x = leaf(values({1, 2, 3, 4}, {2, 2}));
  const Variable weight = leaf(values({1, 0, -1, 2, 3, 1}, {3, 2}));
  const Variable bias = leaf(values({10, 20, 30}, {3}));
  Variable y = linear(x, weight, bias);
  CHECK(y.value().to_vector<double>() == std::vector<double>{11, 23, 35, 13, 25, 43});
  CHECK(linear(x, weight).value().to_vector<double>() == std::vector<double>{1, 3, 5, 3, 5, 13});
  y.backward(values({1, 0, 2, 0, 1, 0}, {2, 3}));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{7, 2, -1, 2});
  CHECK(weight.grad().to_vector<double>() == std::vector<double>{1, 2, 3, 4, 2, 4});
  CHECK(bias.grad().to_vector<double>() == std::vector<double>{1, 1, 2});
}

TEST_CASE("linear: special values") {
  const Variable weight(values({1, 1}, {1, 2}));
  CHECK(is_nan(linear(Variable(values({kNan, 1}, {1, 2})), weight).value().item()));
  CHECK(linear(Variable(values({kInfinity, 1}, {1, 2})), weight).value().item() == kInfinity);
  CHECK(is_nan(linear(Variable(values({kInfinity, -kInfinity}, {1, 2})), weight).value().item()));
  CHECK(linear(Variable(random({0, 2}, 1)), weight).shape() == Shape{0, 1});
  const Variable bias(values({5, 6}, {2}));
  const Variable y = linear(Variable(random({2, 0}, 1)), Variable(random({2, 0}, 1)), bias);
  CHECK(y.value().to_vector<double>() == std::vector<double>{5, 6, 5, 6});
}

}  // namespace cbnet::testing
