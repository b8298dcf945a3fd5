#include "optim/adam.h"

#include <cmath>

#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("impossible options throw") {
  const Variable w(Tensor::zeros({1}, DType::f64), true);
  CHECK_THROWS_SAYING(Adam({w}, {.beta1 = 1.0}), std::invalid_argument, "[adam] beta1 and beta2");
  CHECK_THROWS_SAYING(Adam({w}, {.eps = 0.0}), std::invalid_argument, "[adam] eps");
}

TEST_CASE("twenty steps follow algorithm 1 of Kingma and Ba, with L2 and with decoupled decay") {
  for (const bool decoupled : {false, true}) {
    const AdamOptions options{.learning_rate = 0.1, .weight_decay = 0.01, .decoupled = decoupled};
    Variable parameter(Tensor::from<double>({1.5, -2.0}, {2}), true);
    Adam adam({parameter}, options);
    double w[] = {1.5, -2.0};
    double m[] = {0, 0};
    double v[] = {0, 0};
    for (int t = 1; t <= 20; ++t) {
      Tensor gradient = Tensor::empty({2}, DType::f64);
      for (int i = 0; i < 2; ++i) {
        const double raw = std::sin(t + i) + 0.3 * w[i];
        gradient.data<double>()[i] = raw;
        const double g = raw + (decoupled ? 0.0 : 0.01 * w[i]);
        m[i] = 0.9 * m[i] + 0.1 * g;
        v[i] = 0.999 * v[i] + 0.001 * g * g;
        const double m_hat = m[i] / (1 - std::pow(0.9, t));
        const double v_hat = v[i] / (1 - std::pow(0.999, t));
        w[i] -= (decoupled ? 0.1 * 0.01 * w[i] : 0.0) + 0.1 * m_hat / (std::sqrt(v_hat) + 1e-8);
      }
      parameter.mutable_grad() = gradient;
      adam.step();
    }
    CHECK(parameter.value().at({0}) == doctest::Approx(w[0]).epsilon(1e-12));
    CHECK(parameter.value().at({1}) == doctest::Approx(w[1]).epsilon(1e-12));
  }
}

TEST_CASE("a restored state continues to the same bits") {
  const auto run = [](int first, int last, Tensor& weights,
                      const std::vector<std::pair<std::string, Tensor>>* state) {
    Variable parameter(weights, true);
    Adam adam({parameter});
    if (state != nullptr) adam.load_state(*state);
    for (int t = first; t < last; ++t) {
      parameter.mutable_grad() = Tensor::full({3}, std::cos(t));
      adam.step();
    }
    std::vector<std::pair<std::string, Tensor>> copy;
    for (const auto& [name, tensor] : adam.state()) copy.emplace_back(name, tensor.clone());
    return copy;
  };
  Tensor whole = Tensor::ones({3});
  run(0, 10, whole, nullptr);
  Tensor halves = Tensor::ones({3});
  const auto state = run(0, 4, halves, nullptr);
  run(4, 10, halves, &state);
  CHECK(whole.to_vector<float>() == halves.to_vector<float>());
}
