#include "layers/init.h"

#include <cmath>

#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("a bias has no fan") {
  Rng rng(1);
  CHECK_THROWS_SAYING(init_weight(Init::he_normal, {5}, rng), std::invalid_argument,
                      "[init] expected a weight");
}

TEST_CASE("variances are those of the papers") {
  const auto variance = [](Init init, const Shape& shape) {
    Rng rng(1);
    double squares = 0;
    const Tensor weight = init_weight(init, shape, rng, DType::f64);
    for (const double w : weight.to_vector<double>()) squares += w * w;
    return squares / static_cast<double>(weight.numel());
  };
  // 40,000 samples: five standard errors are 3.6 %.
  CHECK(variance(Init::lecun_normal, {400, 100}) == doctest::Approx(1.0 / 100).epsilon(0.04));
  CHECK(variance(Init::he_normal, {64, 25, 5, 5}) == doctest::Approx(2.0 / 625).epsilon(0.04));
  CHECK(variance(Init::glorot_uniform, {300, 100}) == doctest::Approx(2.0 / 400).epsilon(0.04));
}
