#include "autograd/ops/mse_loss.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_mse_loss() {
  const auto call = [](const std::vector<Variable>& in) { return mse_loss(in[0], in[1]); };
  return {
      {.name = "scalars", .inputs = {random({}, 1), random({}, 2)}, .call = call},
      {.name = "size 1", .inputs = {random({1}, 3), random({1}, 4)}, .call = call},
      {.name = "images", .inputs = {random({2, 1, 7, 13}, 5), random({2, 1, 7, 13}, 6)}, .call = call},
      {.name = "target fixed",
       .inputs = {random({7, 13}, 7), random({7, 13}, 8)},
       .call = call,
       .needs_grad = {true, false}},
      {.name = "large",
       .inputs = {random({64, 784}, 9), random({64, 784}, 10)},
       .call = call,
       .large = true,
       .thread_tolerance = 0.0,
       .reason = "pieces of the sum have a fixed size"},
  };
}

TEST_CASE("mse_loss: wrong use throws") {
  CHECK_THROWS_WITH_AS(mse_loss(Variable(Tensor::zeros({2, 3})), Variable(Tensor::zeros({3}))),
                       "[mse_loss] x and target must have the same shape; got (2,3) and (3)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(mse_loss(Variable(Tensor::zeros({0, 3})), Variable(Tensor::zeros({0, 3}))),
                       "[mse_loss] there is no mean of nothing; got (0,3)", std::invalid_argument);
}

TEST_CASE("mse_loss: closed form") {
  const Variable x = leaf(values({1, 2}, {2}));
  const Variable target = leaf(values({0, 4}, {2}));
  Variable loss = mse_loss(x, target);
  CHECK(loss.shape() == Shape{});
  CHECK(loss.value().item() == 2.5);
  loss.backward(Tensor::full({}, 3.0, DType::f64));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{3, -6});
  CHECK(target.grad().to_vector<double>() == std::vector<double>{-3, 6});
}

TEST_CASE("mse_loss: a long f32 sum does not drift") {
  // 2^24 + 1 is the first whole number that f32 cannot count to.
  const Variable x(Tensor::ones({(1 << 24) + 64}));
  CHECK(mse_loss(x, Variable(Tensor::zeros(x.shape()))).value().item() == 1.0);
}

TEST_CASE("mse_loss: special values") {
  const auto loss = [](double x, double target) {
    return mse_loss(Variable(values({x, 0}, {2})), Variable(values({target, 0}, {2}))).value().item();
  };
  CHECK(is_nan(loss(kNan, 0)));
  CHECK(is_nan(loss(0, kNan)));
  CHECK(loss(kInfinity, 0) == kInfinity);
  CHECK(is_nan(loss(kInfinity, kInfinity)));
}

}  // namespace cbnet::testing
