#include "autograd/ops/mean.h"

#include <doctest/doctest.h>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_mean() {
  const auto over = [](const std::vector<std::int64_t>& axes, bool keepdim = false) {
    return [axes, keepdim](const std::vector<Variable>& in) { return mean(in[0], axes, keepdim); };
  };
  const auto all = [](const std::vector<Variable>& in) { return mean(in[0]); };
  return {
      {.name = "scalar", .inputs = {random({}, 1)}, .call = all},
      {.name = "one", .inputs = {random({1, 1}, 2)}, .call = all},
      {.name = "everything", .inputs = {random({7, 13}, 3)}, .call = all},
      {.name = "rows", .inputs = {random({7, 13}, 4)}, .call = over({1})},
      {.name = "columns", .inputs = {random({7, 13}, 5)}, .call = over({0})},
      {.name = "keepdim", .inputs = {random({2, 3, 5}, 6)}, .call = over({-2}, true)},
      {.name = "channels", .inputs = {random({3, 5, 2, 7}, 7)}, .call = over({3, 0, 2})},
      {.name = "no axes", .inputs = {random({3, 2}, 8)}, .call = over({})},
      {.name = "nothing", .inputs = {random({3, 0}, 9)}, .call = over({1}), .expect_all_zero = true},
      {.name = "large, all", .inputs = {random({357, 391}, 10)}, .call = all, .large = true},
      {.name = "large, channels",
       .inputs = {random({31, 5, 29, 31}, 11)},
       .call = over({0, 2, 3}),
       .large = true},
  };
}

TEST_CASE("mean: wrong use throws") {
  const Variable x(random({2, 3}, 1));
  CHECK_THROWS_WITH_AS(mean(x, {2}), "[mean] axis must be in [-2, 1]; got 2", std::invalid_argument);
  CHECK_THROWS_WITH_AS(mean(x, {0, 0}), "[mean] axes must differ; got (0,0) for (2,3)",
                       std::invalid_argument);
}

TEST_CASE("mean: values and gradients by hand") {
  const Variable x = leaf(values({1, 2, 3, 4, 5, 6}, {2, 3}));
  CHECK(mean(x).shape().empty());
  CHECK(mean(x).value().item() == 3.5);
  CHECK(mean(x, {0}).value().to_vector<double>() == std::vector<double>{2.5, 3.5, 4.5});
  CHECK(mean(x, {1}, true).shape() == Shape{2, 1});
  CHECK(mean(x, {}).value().to_vector<double>() == std::vector<double>{1, 2, 3, 4, 5, 6});
  Variable y = mean(x, {0});
  y.backward(values({2, 4, 6}, {3}));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{1, 2, 3, 1, 2, 3});
}

TEST_CASE("mean: an f32 sum may pass the largest float on the way") {
  CHECK(mean(Variable(Tensor::full({4}, 3e38))).value().item() == doctest::Approx(3e38));
}

TEST_CASE("mean: special values") {
  CHECK(is_nan(mean(Variable(values({1, kNan}, {2}))).value().item()));
  CHECK(mean(Variable(values({1, -kInfinity}, {2}))).value().item() == -kInfinity);
  CHECK(is_nan(mean(Variable(random({0}, 1))).value().item()));
  CHECK(is_nan(mean(Variable(random({2, 0}, 1)), {1}).value().at({1})));
  CHECK(mean(Variable(random({2, 0}, 1)), {0}).shape() == Shape{0});
}

}  // namespace cbnet::testing
