#include "layers/activation.h"

#include <doctest/doctest.h>
#include <cmath>

using namespace cbnet;

TEST_CASE("each module is its function") {
  const Variable x(Tensor::from<double>({-2.0, 0.5}, {1, 2}));
  const auto first = [&](Module&& module) { return module(x).value().at({0, 0}); };
  CHECK(first(Relu()) == 0.0);
  CHECK(first(LeakyRelu(0.1)) == doctest::Approx(-0.2));
  CHECK(first(Sigmoid()) == doctest::Approx(1 / (1 + std::exp(2.0))));
  CHECK(first(Tanh()) == doctest::Approx(std::tanh(-2.0)));
  CHECK(first(Softmax()) == doctest::Approx(1 / (1 + std::exp(2.5))));
  CHECK(first(Softmax(0)) == 1.0);
  CHECK(first(LogSoftmax()) == doctest::Approx(-std::log(1 + std::exp(2.5))));
  CHECK(first(LogSoftmax(0)) == 0.0);
}
