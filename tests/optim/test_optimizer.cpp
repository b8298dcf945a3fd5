#include "optim/optimizer.h"

#include <limits>

#include "optim/adam.h"
#include "optim/sgd.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {
Variable leaf(const std::vector<double>& values) {
  return Variable(Tensor::from(values, {static_cast<std::int64_t>(values.size())}), true);
}
}  // namespace

TEST_CASE("constants and impossible rates are refused") {
  CHECK_THROWS_SAYING(Sgd({Variable(Tensor::zeros({2}))}), std::invalid_argument, "must require gradients");
  Sgd sgd({leaf({1})});
  CHECK_THROWS_SAYING(sgd.set_learning_rate(-1), std::invalid_argument, "not negative; got -1");
  CHECK_THROWS_SAYING(sgd.set_learning_rate(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument,
                      "finite");
}

TEST_CASE("a foreign state is refused, by name") {
  Adam adam({leaf({1, 2})});
  CHECK_THROWS_SAYING(adam.load_state(Sgd({leaf({1, 2})}).state()), std::invalid_argument,
                      "expected 3 state tensors");
  CHECK_THROWS_SAYING(adam.load_state(Adam({leaf({1})}).state()), std::invalid_argument, "'m.0' f64 (2)");
}

TEST_CASE("a state that would poison the run is refused and changes nothing") {
  Variable parameter = leaf({1, 2});
  Adam adam({parameter});
  parameter.mutable_grad() = Tensor::ones({2}, DType::f64);
  adam.step();
  const auto broken = [&](std::size_t entry, const Tensor& tensor) {
    auto state = adam.state();
    state[entry].second = tensor;
    return state;
  };
  const Tensor nan = Tensor::full({2}, std::numeric_limits<double>::quiet_NaN(), DType::f64);
  CHECK_THROWS_SAYING(adam.load_state(broken(1, nan)), std::invalid_argument,
                      "'v.0' f64 (2) of finite values");
  CHECK_THROWS_SAYING(adam.load_state(broken(0, Tensor::zeros({2}))), std::invalid_argument,
                      "got 'm.0' f32 (2)");
  const DType steps = adam.state().back().second.dtype();
  CHECK_THROWS_SAYING(adam.load_state(broken(2, Tensor::full(adam.state().back().second.shape(), -1, steps))),
                      std::invalid_argument, "must not be negative; got -1");
  CHECK(adam.steps_taken() == 1);
}

TEST_CASE("a gradient unlike its parameter is refused") {
  Variable parameter = leaf({1, 2});
  Adam adam({parameter});
  Sgd sgd({parameter});
  for (const Tensor& wrong : {Tensor::ones({1}, DType::f64), Tensor::ones({2})}) {
    parameter.mutable_grad() = wrong;
    CHECK_THROWS_SAYING(adam.step(), std::invalid_argument, "a gradient must be like its parameter");
    CHECK_THROWS_SAYING(sgd.step(), std::invalid_argument, "for f64 (2)");
  }
  CHECK(parameter.value().to_vector<double>() == std::vector<double>{1, 2});
}

TEST_CASE("a parameter without a gradient stays, zero_grad forgets") {
  Variable used = leaf({1});
  Variable unused = leaf({5});
  used.mutable_grad() = Tensor::ones({1}, DType::f64);
  Sgd sgd({used, unused}, {.learning_rate = 0.5});
  sgd.step();
  CHECK(used.value().item() == 0.5);
  CHECK(unused.value().item() == 5.0);
  sgd.zero_grad();
  CHECK_FALSE(used.grad().defined());
  CHECK(sgd.steps_taken() == 1);
}
