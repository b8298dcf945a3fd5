#include "autograd/ops/bce_with_logits.h"

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>

#include "autograd/ops/bce_loss.h"
#include "autograd/ops/pointwise.h"
#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_bce_with_logits() {
  const auto call = [](const std::vector<Variable>& in) { return bce_with_logits(in[0], in[1]); };
  const auto x = [](const Shape& shape, std::uint64_t seed) { return random(shape, seed, -4.0, 4.0); };
  const auto t = [](const Shape& shape, std::uint64_t seed) { return random(shape, seed, 0.0, 1.0); };
  return {
      {.name = "scalars", .inputs = {x({}, 1), t({}, 2)}, .call = call},
      {.name = "size 1", .inputs = {x({1}, 3), t({1}, 4)}, .call = call},
      {.name = "images", .inputs = {x({2, 1, 7, 13}, 5), t({2, 1, 7, 13}, 6)}, .call = call},
      {.name = "zero, where |x| has no slope", .inputs = {values({0, 0}, {2}), t({2}, 7)}, .call = call},
      {.name = "hard targets",
       .inputs = {x({3}, 8), values({0, 1, 1}, {3})},
       .call = call,
       .needs_grad = {true, false}},
      {.name = "large",
       .inputs = {x({64, 784}, 9), t({64, 784}, 10)},
       .call = call,
       .large = true,
       .thread_tolerance = 0.0,
       .reason = "pieces of the sum have a fixed size"},
  };
}

TEST_CASE("bce_with_logits: wrong use throws") {
  CHECK_THROWS_WITH_AS(bce_with_logits(Variable(Tensor::zeros({2, 3})), Variable(Tensor::zeros({3}))),
                       "[bce_with_logits] x and target must have the same shape; got (2,3) and (3)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(bce_with_logits(Variable(Tensor::zeros({0})), Variable(Tensor::zeros({0}))),
                       "[bce_with_logits] there is no mean of nothing; got (0)", std::invalid_argument);
}

TEST_CASE("bce_with_logits: closed form") {
  const Variable x = leaf(values({0, std::log(3.0)}, {2}));  // p = 1/2, 3/4
  const Variable target = leaf(values({1, 0.5}, {2}));
  Variable loss = bce_with_logits(x, target);
  CHECK(loss.shape() == Shape{});
  const double expected = (std::log(2.0) + 0.5 * std::log(4.0 / 3) + 0.5 * std::log(4.0)) / 2;
  CHECK(loss.value().item() == doctest::Approx(expected).epsilon(1e-15));
  loss.backward();
  CHECK(x.grad().at({0}) == -0.25);
  CHECK(x.grad().at({1}) == doctest::Approx(0.125).epsilon(1e-15));
  CHECK(target.grad().at({0}) == 0.0);
  CHECK(target.grad().at({1}) == doctest::Approx(-std::log(3.0) / 2).epsilon(1e-15));
}

namespace {

struct LossAndSlope {
  double loss, slope;
};

LossAndSlope run(double x_value, double t_value, DType dtype) {
  const Variable x = leaf(Tensor::full({1}, x_value, dtype));
  Variable loss = bce_with_logits(x, Variable(Tensor::full({1}, t_value, dtype)));
  loss.backward();
  return {loss.value().item(), x.grad().at({0})};
}

}  // namespace

TEST_CASE("bce_with_logits: a logit of any size has its loss and slope, to the last digits of both") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const double digits = dtype == DType::f32 ? 1e-6 : 1e-14;
    for (const double size : {1e-3, 1.0, 10.0, 17.0, 30.0, 50.0, 87.0}) {
      const double rest = std::exp(-size) / (1.0 + std::exp(-size));
      CAPTURE(size);
      for (const double sign : {1.0, -1.0}) {  // the wrong side, then the right one
        const LossAndSlope wrong = run(sign * size, sign > 0 ? 0.0 : 1.0, dtype);
        CHECK(wrong.loss == doctest::Approx(size + std::log1p(std::exp(-size))).epsilon(digits));
        CHECK(wrong.slope == doctest::Approx(sign * (1.0 - rest)).epsilon(digits));
        const LossAndSlope right = run(sign * size, sign > 0 ? 1.0 : 0.0, dtype);
        CHECK(right.loss / std::log1p(std::exp(-size)) == doctest::Approx(1.0).epsilon(10 * digits));
        CHECK(right.slope / (-sign * rest) == doctest::Approx(1.0).epsilon(10 * digits));
      }
    }
    CHECK(run(-1e4, 1.0, dtype).loss == 1e4);
    CHECK(run(-1e4, 1.0, dtype).slope == -1.0);
  }
}

TEST_CASE("bce_with_logits: special values") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    CHECK(run(kInfinity, 1.0, dtype).loss == 0.0);
    CHECK(run(kInfinity, 1.0, dtype).slope == 0.0);
    CHECK(run(-kInfinity, 1.0, dtype).loss == kInfinity);
    CHECK(run(-kInfinity, 1.0, dtype).slope == -1.0);
    CHECK(is_nan(run(kNan, 1.0, dtype).loss));
    CHECK(is_nan(run(kNan, 1.0, dtype).slope));
    CHECK(is_nan(run(1.0, kNan, dtype).loss));
  }
}

TEST_CASE("bce_with_logits is bce_loss of a sigmoid where that is not saturated") {
  const Tensor logits = random({7, 13}, 1, -6.0, 6.0);
  const Tensor targets = random({7, 13}, 2, 0.0, 1.0);
  const Variable a = leaf(logits), b = leaf(logits);
  Variable one = bce_with_logits(a, Variable(targets));
  Variable two = bce_loss(sigmoid(b), Variable(targets));
  CHECK(one.value().item() == doctest::Approx(two.value().item()).epsilon(1e-12));
  one.backward();
  two.backward();
  for (std::int64_t i = 0; i < 7; ++i) {
    CHECK(a.grad().at({i, 5}) == doctest::Approx(b.grad().at({i, 5})).epsilon(1e-9));
  }
}

}  // namespace cbnet::testing
