#include "optim/optimizer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "autograd/ops/pointwise.h"
#include "autograd/ops/sum.h"
#include "layers/linear.h"
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

TEST_CASE("a parameter that is given twice is stepped once") {
  Variable w = leaf({1, 2});
  w.mutable_grad() = Tensor::ones({2}, DType::f64);
  Sgd sgd({w, leaf({3}), w}, {.learning_rate = 0.25});
  sgd.step();
  CHECK(w.value().at({0}) == 0.75);
  CHECK(sgd.state().size() == 3);  // two velocities and the count
}

TEST_CASE("two variables over the same elements, and one that is undefined, are refused") {
  const Tensor flat = Tensor::zeros({6});
  const auto part = [&](std::int64_t begin, std::int64_t end) {
    return Variable(flat.slice(0, begin, end), true);
  };
  CHECK_NOTHROW(Sgd({part(3, 6), part(0, 3), part(2, 2)}));
  for (const auto& other : {part(0, 3), part(2, 3), part(0, 6), part(1, 4)}) {
    CHECK_THROWS_SAYING(Adam({part(0, 3), other}), std::invalid_argument, "two parameters share elements");
    CHECK_THROWS_SAYING(Adam({other, part(0, 3)}), std::invalid_argument, "two parameters share elements");
  }
  CHECK_THROWS_SAYING(Sgd({Variable()}), std::invalid_argument, "undefined variable");
}

TEST_CASE("a step between forward and backward is refused, as are restored weights") {
  Variable w = leaf({3}), v = leaf({5});
  Sgd sgd({w}, {.learning_rate = 1.0});
  Variable first = sum(w * w), second = sum(w * v);
  first.backward();
  sgd.step();
  CHECK_THROWS_SAYING(second.backward(), std::invalid_argument, "[mul] backward() needs");
  CHECK_FALSE(v.grad().defined());
  Rng rng(1);
  Linear layer(2, 2, rng), other(2, 2, rng);
  Variable loss = sum(square(layer(Variable(Tensor::ones({1, 2}), true))));
  layer.load_state_dict(other.state_dict());
  CHECK_THROWS_SAYING(loss.backward(), std::invalid_argument, "[linear] backward() needs");
}

namespace {

template <class T>
std::int64_t subnormals_in(const Tensor& tensor) {
  std::int64_t count = 0;
  for (const T value : tensor.to_vector<T>()) count += std::fpclassify(value) == FP_SUBNORMAL ? 1 : 0;
  return count;
}

std::int64_t subnormals(const Optimizer& optimizer, const Variable& parameter) {
  const bool f32 = parameter.dtype() == DType::f32;
  std::int64_t count =
      f32 ? subnormals_in<float>(parameter.value()) : subnormals_in<double>(parameter.value());
  for (const auto& [name, tensor] : optimizer.state()) {
    if (name != "steps") count += f32 ? subnormals_in<float>(tensor) : subnormals_in<double>(tensor);
  }
  return count;
}

/// Seconds of the fastest of a few runs of 50 steps.
double seconds_of(Optimizer& optimizer) {
  double fastest = 1e9;
  for (int run = 0; run < 5; ++run) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 50; ++i) optimizer.step();
    fastest =
        std::min(fastest, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return fastest;
}

/// Steps with gradients of zero until what the optimizer keeps has decayed through the subnormals' range,
/// which it would otherwise stay in: 0.9 of the smallest one rounds to itself.
void check_decay(Optimizer& optimizer, Variable& w, std::int64_t steps, const char* what) {
  Rng rng(1);
  w.mutable_grad() = Tensor::normal(w.shape(), 0.0, 1.0, rng, w.dtype());
  const double at_first = seconds_of(optimizer);
  w.mutable_grad().fill(0.0);
  std::int64_t seen = 0;
  for (std::int64_t i = 0; i < steps; ++i) {
    optimizer.step();
    if (i % 16 == 0) seen += subnormals(optimizer, w);
  }
  CHECK_MESSAGE(seen + subnormals(optimizer, w) == 0, what);
  CHECK_MESSAGE(seconds_of(optimizer) <= 4.0 * at_first, what);  // subnormals make it ten times as long
}

}  // namespace

TEST_CASE("moments and weights that decay never end among the subnormals, and steps stay as fast") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Rng rng(2);
    const std::int64_t steps = dtype == DType::f32 ? 2000 : 9000;
    const auto parameter = [&] { return Variable(Tensor::normal({2048}, 0.0, 1.0, rng, dtype), true); };
    Variable w = parameter();
    Adam adam({w}, {.learning_rate = 0.01});
    check_decay(adam, w, steps, "Adam");
    w = parameter();
    Adam decayed({w}, {.learning_rate = 0.1, .weight_decay = 1.0, .decoupled = true});
    check_decay(decayed, w, steps, "Adam, weight decay");
    w = parameter();
    Sgd sgd({w}, {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.5});
    check_decay(sgd, w, steps, "SGD");
  }
}
