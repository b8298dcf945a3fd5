#include "autograd/ops/batch_norm.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {
namespace {

/// batch_norm with running statistics of its own, which every call starts anew.
auto with_own_statistics(bool training) {
  return [training](const std::vector<Variable>& in) {
    const Shape channels = {in[0].size(1)};
    const Tensor mean = random(channels, 1).to(in[0].dtype());
    const Tensor var = random(channels, 2, 0.5, 2.0).to(in[0].dtype());
    BatchNormOptions options;
    options.training = training;
    return batch_norm(in[0], in[1], in[2], mean, var, options);
  };
}

OpSample sample(const std::string& name, const Shape& x, bool training) {
  return {.name = name + (training ? ", training" : ", evaluation"),
          .inputs = {random(x, 3, -2.0, 3.0), random({x[1]}, 4, 0.5, 1.5), random({x[1]}, 5)},
          .call = with_own_statistics(training)};
}

}  // namespace

std::vector<OpSample> samples_batch_norm() {
  std::vector<OpSample> samples;
  for (const bool training : {true, false}) {
    samples.push_back(sample("one channel", {3, 1}, training));
    samples.push_back(sample("rows", {7, 13}, training));
    samples.push_back(sample("images", {3, 5, 2, 7}, training));
    samples.push_back(sample("one image", {1, 2, 3, 1}, training));
    for (const Shape& shape : {Shape{31, 5, 29, 31}, Shape{1033, 129}}) {
      samples.push_back(sample("large", shape, training));
      samples.back().large = true;
    }
  }
  samples.push_back(sample("one value", {1, 3}, false));
  samples.push_back(sample("no rows", {0, 3}, false));
  samples.back().expect_all_zero = true;
  return samples;
}

TEST_CASE("batch_norm: wrong use throws") {
  const Variable x(random({4, 3}, 1));
  const Variable c3(random({3}, 1));
  const Tensor r3 = random({3}, 1);
  const auto run = [&](const Variable& in, const Variable& gamma, const Tensor& mean,
                       BatchNormOptions options = {}) {
    return batch_norm(in, gamma, c3, mean, r3, options);
  };
  CHECK_THROWS_WITH_AS(run(Variable(random({4, 3, 2}, 1)), c3, r3),
                       "[batch_norm] x must be (N,C) or (N,C,H,W); got (4,3,2)", std::invalid_argument);
  CHECK_THROWS_WITH_AS(run(x, Variable(random({4}, 1)), r3),
                       "[batch_norm] gamma and beta must be (C); got x (4,3), gamma (4), beta (3)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(
      run(x, c3, random({4}, 1)),
      "[batch_norm] running_mean and running_var must be (C); got x (4,3), f64 (4) and f64 (3)",
      std::invalid_argument);
  CHECK_THROWS_WITH_AS(
      run(x, c3, Tensor()),
      "[batch_norm] running_mean and running_var must be (C); got x (4,3), undefined and f64 (3)",
      std::invalid_argument);
  CHECK_THROWS_WITH_AS(
      run(x, c3, r3.to(DType::f32)),
      "[batch_norm] running_mean and running_var must have x's dtype; got x f64 (4,3), f32 (3) and f64 (3)",
      std::invalid_argument);
  CHECK_THROWS_WITH_AS(run(Variable(random({1, 3}, 1)), c3, r3),
                       "[batch_norm] training needs at least two values per channel; got x (1,3)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(run(x, c3, r3, {.training = true, .momentum = 0.1, .eps = 0.0}),
                       "[batch_norm] eps must be positive; got 0", std::invalid_argument);
  CHECK_THROWS_WITH_AS(run(x, c3, r3, {.training = true, .momentum = 1.5, .eps = 1e-5}),
                       "[batch_norm] momentum must be in [0, 1]; got 1.5", std::invalid_argument);
}

TEST_CASE("batch_norm: training by hand") {
  // Channel 0 holds 1, 3: mean 2, biased variance 1, unbiased 2. Channel 1 holds 10, 50: 30, 400, 800.
  const Variable x(values({1, 10, 3, 50}, {2, 2}));
  const Variable gamma(values({2, 1}, {2}));
  const Variable beta(values({5, 0}, {2}));
  const Tensor mean = values({0, 10}, {2});
  const Tensor var = values({1, 100}, {2});
  const Tensor y =
      batch_norm(x, gamma, beta, mean, var, {.training = true, .momentum = 0.25, .eps = 1e-12}).value();
  CHECK(y.at({0, 0}) == doctest::Approx(3));
  CHECK(y.at({1, 0}) == doctest::Approx(7));
  CHECK(y.at({0, 1}) == doctest::Approx(-1));
  CHECK(y.at({1, 1}) == doctest::Approx(1));
  CHECK(mean.at({0}) == doctest::Approx(0.5));
  CHECK(mean.at({1}) == doctest::Approx(15));
  CHECK(var.at({0}) == doctest::Approx(0.75 + 0.25 * 2));
  CHECK(var.at({1}) == doctest::Approx(75 + 0.25 * 800));
}

TEST_CASE("batch_norm: evaluation uses the running statistics and leaves them alone") {
  const Variable x = leaf(values({1, 10, 3, 50}, {2, 2}));
  const Tensor mean = values({1, 10}, {2});
  const Tensor var = values({4, 100}, {2});
  Variable y = batch_norm(x, Variable(values({2, 1}, {2})), Variable(values({5, 0}, {2})), mean, var,
                          {.training = false, .momentum = 0.1, .eps = 1e-12});
  CHECK(y.value().at({1, 0}) == doctest::Approx(7));
  CHECK(y.value().at({1, 1}) == doctest::Approx(4));
  CHECK(mean.to_vector<double>() == std::vector<double>{1, 10});
  CHECK(var.to_vector<double>() == std::vector<double>{4, 100});
  y.backward(values({1, 1, 1, 1}, {2, 2}));
  CHECK(x.grad().at({0, 0}) == doctest::Approx(1));
  CHECK(x.grad().at({1, 1}) == doctest::Approx(0.1));
}

TEST_CASE("batch_norm: the gradient keeps the statistics of its own forward") {
  const Variable x = leaf(values({1, 3}, {2, 1}));
  const Variable one(values({1}, {1}));
  Tensor mean = values({0}, {1});
  Tensor var = values({1}, {1});
  const BatchNormOptions evaluation = {.training = false, .momentum = 0.1, .eps = 1e-12};
  Variable y = batch_norm(x, one, one, mean, var, evaluation);
  var.fill(100);
  y.backward(values({1, 1}, {2, 1}));
  CHECK(x.grad().at({0, 0}) == doctest::Approx(1));
}

TEST_CASE("batch_norm: two passes keep a small variance beside a large mean") {
  Tensor shifted = random({64, 1}, 1);
  const Variable one(values({1}, {1}));
  const Variable zero(values({0}, {1}));
  const auto run = [&](const Tensor& x) {
    return batch_norm(Variable(x), one, zero, values({0}, {1}), values({1}, {1}), {}).value();
  };
  const std::vector<double> near = run(shifted).to_vector<double>();
  shifted.add_scaled(Tensor::full({64, 1}, 1e8, DType::f64));
  const std::vector<double> far = run(shifted).to_vector<double>();
  // 1e8 leaves 1.5e-8 of absolute precision in x; the squares of one pass would leave none.
  for (std::size_t i = 0; i < near.size(); ++i) CHECK(std::abs(near[i] - far[i]) < 1e-6);
}

TEST_CASE("batch_norm: momentum 0 and 1") {
  const Variable x(values({1, 3}, {2, 1}));
  const Variable one(values({1}, {1}));
  const Tensor mean = values({7}, {1});
  const Tensor var = values({9}, {1});
  batch_norm(x, one, one, mean, var, {.training = true, .momentum = 0.0, .eps = 1e-5});
  CHECK(mean.item() == 7);
  CHECK(var.item() == 9);
  batch_norm(x, one, one, mean, var, {.training = true, .momentum = 1.0, .eps = 1e-5});
  CHECK(mean.item() == 2);
  CHECK(var.item() == 2);
}

TEST_CASE("batch_norm: special values") {
  const Variable gamma(values({1, 1}, {2}));
  const Variable beta(values({4, 5}, {2}));
  const auto run = [&](const Tensor& x, bool training) {
    return batch_norm(Variable(x), gamma, beta, values({0, 0}, {2}), values({1, 1}, {2}),
                      {.training = training, .momentum = 0.1, .eps = 1e-5})
        .value();
  };
  // NaN stays in its channel; a constant channel becomes beta.
  const Tensor y = run(values({kNan, 3, 1, 3}, {2, 2}), true);
  CHECK(is_nan(y.at({0, 0})));
  CHECK(is_nan(y.at({1, 0})));
  CHECK(y.at({0, 1}) == 5);
  CHECK(is_nan(run(values({kInfinity, 3, 1, 3}, {2, 2}), true).at({1, 0})));
  CHECK(run(values({kInfinity, 3}, {1, 2}), false).at({0, 0}) == kInfinity);
  CHECK(run(Tensor::zeros({0, 2}, DType::f64), false).shape() == Shape{0, 2});
}

TEST_CASE("batch_norm: at two values f32 gradients are the exact ones, rounded") {
  // xhat is nearly +-1 and explains nearly all of dy: dx is gamma (dy_1 - dy_2) / 2 eps / (var + eps)^1.5.
  for (const double spread : {0.3, 1.0, 30.0}) {
    for (const double centre : {0.0, 7.0, 1000.0}) {
      const double high = static_cast<double>(static_cast<float>(centre + spread));
      const double low = static_cast<double>(static_cast<float>(centre - spread / 3));
      const Variable x = leaf(values({high, low}, {2, 1}).to(DType::f32));
      const Variable gamma = leaf(Tensor::full({1}, 1.5));
      Tensor mean = Tensor::zeros({1}), var = Tensor::ones({1});
      Variable y = batch_norm(x, gamma, leaf(Tensor::zeros({1})), mean, var, {});
      y.backward(values({0.75, -0.5}, {2, 1}).to(DType::f32));
      const double half = (high - low) / 2, eps = BatchNormOptions().eps;
      const double dx = 1.5 * 0.625 * eps / std::pow(half * half + eps, 1.5);
      CAPTURE(spread);
      CAPTURE(centre);
      CHECK(x.grad().at({0, 0}) / dx == doctest::Approx(1.0).epsilon(2e-7));
      CHECK(x.grad().at({1, 0}) / dx == doctest::Approx(-1.0).epsilon(2e-7));
      CHECK(gamma.grad().item() == doctest::Approx(1.25 * half / std::sqrt(half * half + eps)).epsilon(2e-7));
    }
  }
}

TEST_CASE(
    "batch_norm: one pass finds the variance beside a large mean, and beside an outlier that comes first") {
  for (const double first : {3.0, -1e6}) {
    for (const double mean : {0.0, 1e5}) {
      std::vector<double> x{first};
      for (int i = 1; i < 1600; ++i) x.push_back(mean + 1e-3 * (i * 37 % 101));
      double sum = 0.0, squares = 0.0;
      for (const double value : x) sum += value / 1600.0;
      for (const double value : x) squares += (value - sum) * (value - sum);
      const Tensor running_mean = Tensor::zeros({1}, DType::f64),
                   running_var = Tensor::zeros({1}, DType::f64);
      const Variable one(Tensor::full({1}, 1.0, DType::f64));
      batch_norm(Tensor::from(x, {64, 1, 5, 5}), one, one, running_mean, running_var,
                 {.training = true, .momentum = 1.0, .eps = 1e-5});
      CHECK(running_mean.at({0}) == doctest::Approx(sum).epsilon(1e-12));
      CHECK(running_var.at({0}) == doctest::Approx(squares / 1599.0).epsilon(1e-9));
    }
  }
}

}  // namespace cbnet::testing
