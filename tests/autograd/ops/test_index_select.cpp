#include "autograd/ops/index_select.h"

#include <doctest/doctest.h>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {
namespace {

Tensor indices(const std::vector<std::int64_t>& index) {
  return Tensor::from(index, {static_cast<std::int64_t>(index.size())});
}

}  // namespace

std::vector<OpSample> samples_index_select() {
  const auto pick = [](std::int64_t axis, const std::vector<std::int64_t>& index) {
    return
        [axis, index](const std::vector<Variable>& in) { return index_select(in[0], axis, indices(index)); };
  };
  std::vector<std::int64_t> many;
  for (std::int64_t i = 0; i < 301; ++i) many.push_back(i * 37 % 127);
  return {
      {.name = "one", .inputs = {random({1}, 1)}, .call = pick(0, {0})},
      {.name = "repeated", .inputs = {random({7, 3}, 2)}, .call = pick(0, {6, 0, 6, 6, 2})},
      {.name = "middle axis", .inputs = {random({2, 13, 3}, 3)}, .call = pick(1, {12, 0, 5, 5})},
      {.name = "last axis", .inputs = {random({3, 7}, 4)}, .call = pick(-1, {3, 3, 1})},
      {.name = "nothing picked", .inputs = {random({7, 3}, 5)}, .call = pick(0, {}), .expect_all_zero = true},
      {.name = "empty rows", .inputs = {random({7, 0}, 6)}, .call = pick(0, {1, 2}), .expect_all_zero = true},
      {.name = "large rows", .inputs = {random({127, 1033}, 7)}, .call = pick(0, many), .large = true},
      {.name = "large columns", .inputs = {random({1033, 127}, 8)}, .call = pick(1, many), .large = true},
  };
}

TEST_CASE("index_select: wrong use throws") {
  const Variable x(random({2, 3}, 1));
  CHECK_THROWS_WITH_AS(index_select(x, 2, indices({0})), "[index_select] axis must be in [-2, 1]; got 2",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(index_select(x, 1, indices({0, 3})),
                       "[index_select] index must be in [0, 3); got 3 for x (2,3), axis 1",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(index_select(x, 0, indices({-1})),
                       "[index_select] index must be in [0, 2); got -1 for x (2,3), axis 0",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(index_select(x, 0, Tensor::zeros({1}, DType::i32)),
                       "[index_select] index must be i64 with 1 axis; got i32 (1)", std::invalid_argument);
  CHECK_THROWS_WITH_AS(index_select(x, 0, Tensor::zeros({1, 1}, DType::i64)),
                       "[index_select] index must be i64 with 1 axis; got i64 (1,1)", std::invalid_argument);
  CHECK_THROWS_WITH_AS(index_select(x, 0, Tensor()),
                       "[index_select] index must be i64 with 1 axis; got undefined", std::invalid_argument);
  CHECK_THROWS_AS(index_select(Variable(random({}, 1)), 0, indices({0})), std::invalid_argument);
}

TEST_CASE("index_select: values, and repeated indices add up") {
  const Variable x = leaf(values({1, 2, 3, 4, 5, 6}, {3, 2}));
  Variable y = index_select(x, 0, indices({2, 0, 2}));
  CHECK(y.value().to_vector<double>() == std::vector<double>{5, 6, 1, 2, 5, 6});
  y.backward(values({1, 2, 10, 20, 100, 200}, {3, 2}));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{10, 20, 0, 0, 101, 202});
  CHECK(index_select(x, 1, indices({1})).value().to_vector<double>() == std::vector<double>{2, 4, 6});
}

TEST_CASE("index_select: a later change of the index does not reach the gradient") {
  const Variable x = leaf(values({1, 2}, {2}));
  Tensor index = indices({0});
  Variable y = index_select(x, 0, index);
  index.fill(1);
  y.backward(values({3}, {1}));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{3, 0});
}

TEST_CASE("index_select: special values") {
  const Tensor y = index_select(Variable(values({kNan, kInfinity}, {2})), 0, indices({1, 0})).value();
  CHECK(y.at({0}) == kInfinity);
  CHECK(is_nan(y.at({1})));
  CHECK(index_select(Variable(random({0, 3}, 1)), 0, indices({})).shape() == Shape{0, 3});
}

}  // namespace cbnet::testing
