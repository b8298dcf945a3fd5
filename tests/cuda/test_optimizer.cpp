// The optimizers' one launch for all parameters: the bits of a launch for each, and the reference's numbers.
#include <doctest/doctest.h>

#include <cmath>

#include "optim/adam.h"
#include "optim/sgd.h"
#include "tensor/backend.h"
#include "tensor/cuda/launch.h"

using namespace cbnet;
using emulation::Order;

namespace {

/// Sizes around those of a block, none at all, and more parameters than one launch takes.
std::vector<std::int64_t> sizes() {
  std::vector<std::int64_t> out = {3000, 1, 0, 1023, 1024, 1025, 7};
  out.resize(100, 5);
  return out;
}

Tensor wave(std::int64_t size, double frequency, DType dtype, Device device) {
  std::vector<double> out;
  for (std::int64_t i = 0; i < size; ++i) out.push_back(std::sin(frequency * static_cast<double>(i + 1)));
  return Tensor::from(out, {size}).to(dtype).to(device);
}

std::vector<Variable> parameters(DType dtype, Device device) {
  std::vector<Variable> out;
  for (const std::int64_t size : sizes())
    out.emplace_back(wave(size, 0.1 + static_cast<double>(out.size()), dtype, device), true);
  return out;
}

void give_gradients(std::vector<Variable>& all, int step) {
  for (std::size_t p = 0; p < all.size(); ++p) {
    const Tensor& value = all[p].value();
    all[p].mutable_grad() =
        wave(value.size(0), 0.7 * step + static_cast<double>(p), value.dtype(), value.device());
  }
}

/// The weights after three steps of one optimizer for all parameters, or of one for each.
template <class Optim, class Options>
std::vector<double> stepped(const Options& options, DType dtype, Device device, bool together) {
  std::vector<Variable> all = parameters(dtype, device);
  std::vector<std::unique_ptr<Optim>> optimizers;
  if (together) optimizers.push_back(std::make_unique<Optim>(all, options));
  for (std::size_t p = 0; p < all.size() && !together; ++p)
    optimizers.push_back(std::make_unique<Optim>(std::vector<Variable>{all[p]}, options));
  for (int step = 0; step < 3; ++step) {
    give_gradients(all, step);
    for (const auto& optimizer : optimizers) optimizer->step();
  }
  std::vector<double> out;
  for (const Variable& parameter : all) {
    for (const double value : parameter.value().to_vector<double>()) out.push_back(value);
  }
  return out;
}

template <class Optim, class Options>
void check_rule(const Options& options) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const std::vector<double> all = stepped<Optim>(options, dtype, Device::cuda, true);
    CHECK(all == stepped<Optim>(options, dtype, Device::cuda, false));
    const std::vector<double> defined = stepped<Optim>(options, dtype, Device::reference, true);
    REQUIRE(all.size() == defined.size());
    double worst = 0.0;
    for (std::size_t i = 0; i < all.size(); ++i) worst = std::max(worst, std::abs(all[i] - defined[i]));
    // Weights to 1, moved by at most 0.3: a few roundings of each step.
    CHECK(worst < (dtype == DType::f32 ? 2e-6 : 1e-14));
  }
}

}  // namespace

TEST_CASE("one launch for all parameters gives the bits of one for each") {
  check_rule<Adam>(AdamOptions{.learning_rate = 0.01});
  check_rule<Adam>(AdamOptions{.learning_rate = 0.01, .weight_decay = 0.1});
  check_rule<Adam>(AdamOptions{.learning_rate = 0.01, .weight_decay = 0.1, .decoupled = true});
  check_rule<Sgd>(SgdOptions{.learning_rate = 0.01});
  check_rule<Sgd>(SgdOptions{.learning_rate = 0.01, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true});
}

TEST_CASE("the order of the threads changes nothing") {
  const AdamOptions options{.weight_decay = 0.1};
  const std::vector<double> forwards = stepped<Adam>(options, DType::f32, Device::cuda, true);
  for (const Order order : {Order::backwards, Order::shuffled}) {
    emulation::set_order(order, 3);
    CHECK(stepped<Adam>(options, DType::f32, Device::cuda, true) == forwards);
    emulation::set_order(Order::forwards);
  }
}

TEST_CASE("a step is one launch for 84 parameters, of both dtypes one for each") {
  std::vector<Variable> all = parameters(DType::f32, Device::cuda);
  all.resize(84);
  Adam adam(all);
  give_gradients(all, 0);
  std::size_t before = emulation::orders_given();
  adam.step();
  CHECK(emulation::orders_given() == before + 1);

  all[0] = Variable(wave(9, 1.0, DType::f64, Device::cuda), true);
  all.push_back(parameters(DType::f32, Device::cuda)[0]);
  Adam mixed(all);
  give_gradients(all, 0);
  before = emulation::orders_given();
  mixed.step();
  CHECK(emulation::orders_given() == before + 2);
}

TEST_CASE("parameters without a gradient stay") {
  std::vector<Variable> all = parameters(DType::f32, Device::cuda);
  Sgd sgd(all);
  give_gradients(all, 1);
  all[3].zero_grad();
  const auto before = all[3].value().to_vector<float>(), other = all[4].value().to_vector<float>();
  sgd.step();
  CHECK(all[3].value().to_vector<float>() == before);
  CHECK(all[4].value().to_vector<float>() != other);
}
