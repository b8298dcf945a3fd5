#include "layers/activation.h"

#include <doctest/doctest.h>
#include <cmath>

using namespace cbnet;

TEST_CASE("each kind is its function") {
  const Variable x(Tensor::from<double>({-2.0, 0.5}, {1, 2}));
  const auto first = [&](ActivationKind kind) { return Activation(kind, 0.1)(x).value().at({0, 0}); };
  CHECK(first(ActivationKind::relu) == 0.0);
  CHECK(first(ActivationKind::leaky_relu) == doctest::Approx(-0.2));
  CHECK(first(ActivationKind::sigmoid) == doctest::Approx(1 / (1 + std::exp(2.0))));
  CHECK(first(ActivationKind::tanh) == doctest::Approx(std::tanh(-2.0)));
  CHECK(first(ActivationKind::softmax) == doctest::Approx(1 / (1 + std::exp(2.5))));
  CHECK(std::string(to_string(ActivationKind::leaky_relu)) == "leaky_relu");
}
