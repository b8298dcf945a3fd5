#include "autograd/ops/l1_penalty.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_l1_penalty() {
  const auto call = [](double coefficient) {
    return [coefficient](const std::vector<Variable>& in) { return l1_penalty(in[0], coefficient); };
  };
  return {
      {.name = "size 1", .inputs = {away_from_zero({1}, 1)}, .call = call(0.5)},
      {.name = "odd", .inputs = {away_from_zero({7, 13}, 2)}, .call = call(2.0)},
      {.name = "images", .inputs = {away_from_zero({3, 1, 5, 7}, 3)}, .call = call(-1.5)},
      {.name = "switched off",
       .inputs = {away_from_zero({7}, 4)},
       .call = call(0.0),
       .expect_all_zero = true},
      {.name = "no features",
       .inputs = {away_from_zero({7, 0}, 5)},
       .call = call(1.0),
       .expect_all_zero = true},
      {.name = "large",
       .inputs = {away_from_zero({64, 784}, 6)},
       .call = call(1e-2),
       .large = true,
       .thread_tolerance = 0.0,
       .reason = "pieces of the sum have a fixed size"},
  };
}

TEST_CASE("l1_penalty: wrong use throws") {
  CHECK_THROWS_WITH_AS(l1_penalty(Variable(Tensor::zeros({})), 1.0),
                       "[l1_penalty] x must have a first axis of at least 1; got ()", std::invalid_argument);
  CHECK_THROWS_WITH_AS(l1_penalty(Variable(Tensor::zeros({0, 3})), 1.0),
                       "[l1_penalty] x must have a first axis of at least 1; got (0,3)",
                       std::invalid_argument);
}

TEST_CASE("l1_penalty: closed form") {
  const Variable x = leaf(values({1, -2, 0, 3}, {2, 2}));
  Variable y = l1_penalty(x, 0.5);
  CHECK(y.shape() == Shape{});
  CHECK(y.value().item() == 1.5);
  y.backward(Tensor::full({}, 4.0, DType::f64));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{1, -1, 0, 1});
}

TEST_CASE("l1_penalty: special values") {
  const Variable x = leaf(values({kNan, -kInfinity, -0.0}, {1, 3}));
  Variable y = l1_penalty(x, 2.0);
  CHECK(is_nan(y.value().item()));
  y.backward();
  CHECK(x.grad().at({0, 0}) == 0.0);
  CHECK(x.grad().at({0, 1}) == -2.0);
  CHECK(x.grad().at({0, 2}) == 0.0);
  CHECK(l1_penalty(Variable(values({-kInfinity}, {1})), 1.0).value().item() == kInfinity);
}

}  // namespace cbnet::testing
