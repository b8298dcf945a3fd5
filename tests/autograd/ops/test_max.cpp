#include "autograd/ops/max.h"

#include <doctest/doctest.h>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_max() {
  const auto along = [](std::int64_t axis, bool keepdim = false) {
    return [axis, keepdim](const std::vector<Variable>& in) { return max(in[0], axis, keepdim); };
  };
  const auto all = [](const std::vector<Variable>& in) { return max(in[0]); };
  return {
      {.name = "scalar", .inputs = {random({}, 1)}, .call = all},
      {.name = "one", .inputs = {random({1, 1}, 2)}, .call = along(0)},
      {.name = "everything", .inputs = {distinct({7, 13}, 3)}, .call = all},
      {.name = "rows", .inputs = {distinct({7, 13}, 4)}, .call = along(1)},
      {.name = "columns", .inputs = {distinct({7, 13}, 5)}, .call = along(0)},
      {.name = "middle, keepdim", .inputs = {distinct({2, 7, 3}, 6)}, .call = along(-2, true)},
      {.name = "empty beside", .inputs = {random({0, 3}, 7)}, .call = along(1), .expect_all_zero = true},
      {.name = "large, all", .inputs = {distinct({357, 391}, 8)}, .call = all, .large = true},
      {.name = "large, rows", .inputs = {distinct({357, 391}, 9)}, .call = along(1), .large = true},
      {.name = "large, columns", .inputs = {distinct({357, 391}, 10)}, .call = along(0), .large = true},
  };
}

TEST_CASE("max: wrong use throws") {
  CHECK_THROWS_WITH_AS(max(Variable(random({2, 3}, 1)), 2), "[max] axis must be in [-2, 1]; got 2",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(max(Variable(random({2, 0}, 1)), 1),
                       "[max] there is no maximum of nothing; got x (2,0), axis 1", std::invalid_argument);
  CHECK_THROWS_WITH_AS(max(Variable(random({2, 0}, 1))),
                       "[max] there is no maximum of nothing; got x (0), axis 0", std::invalid_argument);
}

TEST_CASE("max: values and gradients by hand") {
  const Variable x = leaf(values({1, 5, 3, 4, 2, 6}, {2, 3}));
  CHECK(max(x).shape().empty());
  CHECK(max(x).value().item() == 6);
  CHECK(max(x, 0).value().to_vector<double>() == std::vector<double>{4, 5, 6});
  CHECK(max(x, 1, true).shape() == Shape{2, 1});
  Variable y = max(x, -1);
  CHECK(y.value().to_vector<double>() == std::vector<double>{5, 6});
  y.backward(values({10, 20}, {2}));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{0, 10, 0, 0, 0, 20});
}

TEST_CASE("max: of equal maxima the first gets the gradient") {
  const Variable x = leaf(values({1, 7, 7, 7, 7, 1}, {2, 3}));
  Variable y = max(x, 1);
  y.backward(values({1, 1}, {2}));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{0, 1, 0, 1, 0, 0});
  const Variable same = leaf(Tensor::ones({100'003}, DType::f64));
  Variable top = max(same);
  top.backward();
  CHECK(same.grad().at({0}) == 1);
  CHECK(same.grad().at({100'002}) == 0);
}

TEST_CASE("max: special values") {
  const Variable x = leaf(values({1, kNan, kInfinity, kNan}, {4}));
  Variable y = max(x);
  CHECK(is_nan(y.value().item()));
  y.backward();
  CHECK(x.grad().to_vector<double>() == std::vector<double>{0, 1, 0, 0});
  CHECK(max(Variable(values({1, kInfinity}, {2}))).value().item() == kInfinity);
  CHECK(max(Variable(values({-kInfinity, -kInfinity}, {2}))).value().item() == -kInfinity);
  CHECK(is_nan(max(Variable(values({kNan, 1, 2, 3}, {2, 2})), 0).value().at({0})));
  CHECK(max(Variable(random({0, 3}, 1)), 1).shape() == Shape{0});
}

}  // namespace cbnet::testing
