#include "autograd/ops/reshape.h"

#include <doctest/doctest.h>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_reshape() {
  const auto to = [](const Shape& shape) {
    return [shape](const std::vector<Variable>& in) { return reshape(in[0], shape); };
  };
  return {
      {.name = "one to scalar", .inputs = {random({1, 1}, 1)}, .call = to({})},
      {.name = "scalar to one", .inputs = {random({}, 2)}, .call = to({1})},
      {.name = "odd", .inputs = {random({7, 13}, 3)}, .call = to({13, 7})},
      {.name = "guessed size", .inputs = {random({3, 2, 5}, 4)}, .call = to({5, -1})},
      {.name = "flatten",
       .inputs = {random({3, 2, 5}, 5)},
       .call = [](const std::vector<Variable>& in) { return flatten(in[0]); }},
      {.name = "empty", .inputs = {random({0, 3}, 6)}, .call = to({5, 0}), .expect_all_zero = true},
      {.name = "large", .inputs = {random({127, 1033}, 7)}, .call = to({1033, 127}), .large = true},
  };
}

TEST_CASE("reshape: wrong use throws") {
  const Variable x(random({2, 3}, 1));
  CHECK_THROWS_WITH_AS(reshape(x, {4}), "[reshape] number of elements must not change; got (2,3) and (4)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(reshape(x, {-1, 4}),
                       "[reshape] number of elements must not change; got (2,3) and (-1,4)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(reshape(x, {-1, -1}), "[reshape] at most one size may be -1; got (-1,-1)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(reshape(x, {-2, 3}), "[reshape] sizes must be -1 or more; got (-2,3)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(reshape(Variable(random({0, 3}, 1)), {-1, 0}),
                       "[reshape] -1 beside a size of 0 has no single answer; got (-1,0)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(flatten(Variable(random({3}, 1))), "[flatten] axis must be in [-1, 0]; got 1",
                       std::invalid_argument);
}

TEST_CASE("reshape: row-major order, views and gradients") {
  const Variable x = leaf(values({1, 2, 3, 4, 5, 6}, {2, 3}));
  Variable y = reshape(x, {3, -1});
  CHECK(y.shape() == Shape{3, 2});
  CHECK(y.value().to_vector<double>() == std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(y.value().shares_storage(x.value()));
  y.backward(values({6, 5, 4, 3, 2, 1}, {3, 2}));
  CHECK(x.grad().shape() == Shape{2, 3});
  CHECK(x.grad().to_vector<double>() == std::vector<double>{6, 5, 4, 3, 2, 1});
  // Order follows the shape, not the storage.
  const Variable turned(x.value().transpose(0, 1));
  CHECK(reshape(turned, {6}).value().to_vector<double>() == std::vector<double>{1, 4, 2, 5, 3, 6});
}

TEST_CASE("flatten: merges the axes from start_axis on") {
  const Variable x(random({4, 2, 3, 5}, 1));
  CHECK(flatten(x).shape() == Shape{4, 30});
  CHECK(flatten(x, 0).shape() == Shape{120});
  CHECK(flatten(x, -2).shape() == Shape{4, 2, 15});
  CHECK(flatten(x, 3).shape() == x.shape());
  CHECK(flatten(Variable(random({0, 2, 3}, 1))).shape() == Shape{0, 6});
}

TEST_CASE("reshape: special values") {
  const Variable y = reshape(Variable(values({kNan, kInfinity}, {2})), {2, 1});
  CHECK(is_nan(y.value().at({0, 0})));
  CHECK(y.value().at({1, 0}) == kInfinity);
  CHECK(reshape(Variable(values({3}, {1, 1})), {}).value().item() == 3);
  CHECK(reshape(Variable(random({0, 3}, 1)), {-1}).shape() == Shape{0});
}

}  // namespace cbnet::testing
