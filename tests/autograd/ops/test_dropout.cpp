#include "autograd/ops/dropout.h"

#include <doctest/doctest.h>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_dropout() {
  const auto with = [](double p, bool training = true) {
    return [p, training](const std::vector<Variable>& in) {
      Rng rng(7);
      return dropout(in[0], p, training, rng);
    };
  };
  return {
      {.name = "scalar", .inputs = {random({}, 1)}, .call = with(0.25)},
      {.name = "odd", .inputs = {random({7, 13}, 2)}, .call = with(0.5)},
      {.name = "mostly dropped", .inputs = {random({3, 2, 5}, 3)}, .call = with(0.8)},
      {.name = "p 0", .inputs = {random({7}, 4)}, .call = with(0.0)},
      {.name = "evaluation", .inputs = {random({7}, 5)}, .call = with(0.5, false)},
      {.name = "empty", .inputs = {random({0, 3}, 6)}, .call = with(0.5), .expect_all_zero = true},
      {.name = "large", .inputs = {random({127, 1033}, 7)}, .call = with(0.5), .large = true},
  };
}

TEST_CASE("dropout: wrong use throws") {
  const Variable x(random({3}, 1));
  Rng rng(1);
  CHECK_THROWS_WITH_AS(dropout(x, 1.0, true, rng), "[dropout] p must be in [0, 1); got 1",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(dropout(x, -0.1, false, rng), "[dropout] p must be in [0, 1); got -0.1",
                       std::invalid_argument);
  CHECK_THROWS_AS(dropout(x, kNan, true, rng), std::invalid_argument);
}

TEST_CASE("dropout: what is kept grows by 1 / (1 - p), and the gradient likewise") {
  const Variable x = leaf(Tensor::full({10'000}, 3.0, DType::f64));
  Rng rng(1);
  Variable y = dropout(x, 0.25, true, rng);
  const std::vector<double> ys = y.value().to_vector<double>();
  y.backward(Tensor::full({10'000}, 5.0, DType::f64));
  const std::vector<double> dxs = x.grad().to_vector<double>();
  int dropped = 0;
  for (std::size_t i = 0; i < ys.size(); ++i) {
    if (ys[i] == 0.0) {
      ++dropped;
      CHECK(dxs[i] == 0.0);
    } else {
      CHECK(ys[i] == doctest::Approx(4.0));
      CHECK(dxs[i] == doctest::Approx(5.0 / 0.75));
    }
  }
  // 2500 expected, with a standard deviation of 43.
  CHECK(dropped > 2500 - 5 * 43);
  CHECK(dropped < 2500 + 5 * 43);
}

TEST_CASE("dropout: a seed gives one mask, for both dtypes; the next call gives another") {
  const Tensor ones = Tensor::ones({257}, DType::f64);
  Rng rng(3);
  const std::vector<double> first = dropout(Variable(ones), 0.5, true, rng).value().to_vector<double>();
  const std::vector<double> second = dropout(Variable(ones), 0.5, true, rng).value().to_vector<double>();
  CHECK(first != second);
  Rng again(3);
  const Variable narrow(ones.to(DType::f32));
  CHECK(dropout(narrow, 0.5, true, again).value().to_vector<double>() == first);
}

TEST_CASE("dropout: the generator may go before the graph does") {
  const Variable x = leaf(Tensor::ones({8}, DType::f64));
  Variable y;
  {
    Rng rng(1);
    y = dropout(x, 0.5, true, rng);
  }
  y.backward(Tensor::ones({8}, DType::f64));
  CHECK(x.grad().to_vector<double>() == y.value().to_vector<double>());
}

TEST_CASE("dropout: outside training it is x itself and draws nothing") {
  const Variable x(random({5}, 1));
  Rng rng(1);
  const RngState before = rng.state();
  CHECK(dropout(x, 0.5, false, rng).value().shares_storage(x.value()));
  CHECK(dropout(x, 0.0, true, rng).value().shares_storage(x.value()));
  CHECK(rng.state() == before);
}

TEST_CASE("dropout: special values") {
  Rng rng(1);
  const Tensor y = dropout(Variable(Tensor::full({64}, kNan, DType::f64)), 0.5, true, rng).value();
  for (const double v : y.to_vector<double>()) CHECK(is_nan(v));
  CHECK(dropout(Variable(random({0}, 1)), 0.5, true, rng).shape() == Shape{0});
}

}  // namespace cbnet::testing
