#include "autograd/ops/bce_loss.h"

#include <doctest/doctest.h>

#include <cmath>
#include <stdexcept>
#include <utility>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_bce_loss() {
  const auto call = [](const std::vector<Variable>& in) { return bce_loss(in[0], in[1]); };
  const auto p = [](const Shape& shape, std::uint64_t seed) { return random(shape, seed, 0.1, 0.9); };
  const auto t = [](const Shape& shape, std::uint64_t seed) { return random(shape, seed, 0.0, 1.0); };
  return {
      {.name = "scalars", .inputs = {p({}, 1), t({}, 2)}, .call = call},
      {.name = "size 1", .inputs = {p({1}, 3), t({1}, 4)}, .call = call},
      {.name = "images", .inputs = {p({2, 1, 7, 13}, 5), t({2, 1, 7, 13}, 6)}, .call = call},
      {.name = "hard targets",
       .inputs = {p({3}, 7), values({0, 1, 1}, {3})},
       .call = call,
       .needs_grad = {true, false}},
      {.name = "large",
       .inputs = {p({64, 784}, 8), t({64, 784}, 9)},
       .call = call,
       .large = true,
       .thread_tolerance = 0.0,
       .reason = "pieces of the sum have a fixed size"},
  };
}

TEST_CASE("bce_loss: wrong use throws") {
  const auto loss = [](double p) {
    return bce_loss(Variable(values({0.5, p}, {2})), Variable(values({1, 1}, {2})));
  };
  CHECK_THROWS_WITH_AS(bce_loss(Variable(Tensor::zeros({2, 3})), Variable(Tensor::zeros({3}))),
                       "[bce_loss] p and target must have the same shape; got (2,3) and (3)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(bce_loss(Variable(Tensor::zeros({0})), Variable(Tensor::zeros({0}))),
                       "[bce_loss] there is no mean of nothing; got (0)", std::invalid_argument);
  CHECK_THROWS_WITH_AS(loss(1.5), "[bce_loss] p must be in [0, 1]; got 1.5 at element 1 of f64 (2)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(loss(-0.25), doctest::Contains("got -0.25 at element 1"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(loss(kNan), doctest::Contains("nan at element 1"), std::invalid_argument);
}

TEST_CASE("bce_loss: closed form") {
  const Variable p = leaf(values({0.5, 0.25}, {2}));
  const Variable target = leaf(values({1, 0.5}, {2}));
  Variable loss = bce_loss(p, target);
  CHECK(loss.shape() == Shape{});
  const double expected = (std::log(2.0) + 0.5 * std::log(4.0) + 0.5 * std::log(4.0 / 3)) / 2;
  CHECK(loss.value().item() == doctest::Approx(expected).epsilon(1e-15));
  loss.backward();
  // (p - t) / (p (1 - p)) / 2, and the logit of p with the other sign, halved.
  CHECK(p.grad().at({0}) == -1.0);
  CHECK(p.grad().at({1}) == doctest::Approx(-0.25 / 0.1875 / 2).epsilon(1e-15));
  CHECK(target.grad().at({0}) == 0.0);
  CHECK(target.grad().at({1}) == doctest::Approx(std::log(3.0) / 2).epsilon(1e-15));
}

TEST_CASE("bce_loss: special values") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto run = [dtype](double p_value, double t_value) {
      const Variable p = leaf(values({p_value}, {1}).to(dtype));
      Variable loss = bce_loss(p, Variable(values({t_value}, {1}).to(dtype)));
      loss.backward();
      return std::pair{loss.value().item(), p.grad().at({0})};
    };
    CHECK(run(0, 0) == std::pair{0.0, 0.0});
    CHECK(run(1, 1) == std::pair{0.0, 0.0});
    CHECK(run(0, 1).first == 100.0);
    CHECK(run(0, 1).second == doctest::Approx(-1e12));
    CHECK(run(1, 0).first == 100.0);
    CHECK(run(1, 0).second == doctest::Approx(1e12));
    CHECK(run(1e-9, 0).first == doctest::Approx(1e-9));
    CHECK(is_nan(run(0.5, kNan).first));
  }
}

}  // namespace cbnet::testing
