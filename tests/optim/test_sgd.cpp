#include "optim/sgd.h"

#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("impossible options throw") {
  const Variable w(Tensor::zeros({1}, DType::f64), true);
  CHECK_THROWS_SAYING(Sgd({w}, {.momentum = 1.0}), std::invalid_argument, "[sgd] momentum");
  CHECK_THROWS_SAYING(Sgd({w}, {.nesterov = true}), std::invalid_argument, "[sgd] Nesterov");
}

TEST_CASE("three steps by hand: plain, with momentum, Nesterov, with decay") {
  const auto after = [](const SgdOptions& options) {
    Variable w(Tensor::from<double>({1.0}, {1}), true);
    Sgd sgd({w}, options);
    for (int t = 0; t < 3; ++t) {
      w.mutable_grad() = Tensor::ones({1}, DType::f64);
      sgd.step();
    }
    return w.value().item();
  };
  CHECK(after({.learning_rate = 0.1}) == doctest::Approx(0.7));
  // Velocities 1, 1.5, 1.75.
  CHECK(after({.learning_rate = 0.1, .momentum = 0.5}) == doctest::Approx(1.0 - 0.425));
  // Steps 1 + 0.5, 1 + 0.75, 1 + 0.875.
  CHECK(after({.learning_rate = 0.1, .momentum = 0.5, .nesterov = true}) == doctest::Approx(1.0 - 0.5125));
  // w = 1, 0.89, 0.7811 …: w -= 0.1 (1 + 0.1 w).
  CHECK(after({.learning_rate = 0.1, .weight_decay = 0.1}) == doctest::Approx(0.673289));
}
