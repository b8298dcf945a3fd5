// A small epoch of each of the paper's networks on the reference backend, which the CPU's must follow.

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/mse_loss.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reshape.h"
#include "models/zoo.h"
#include "tests/conformance/training_cases.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

/// The loss of every step of Adam over the first 192 images of the Fashion-MNIST excerpt, 32 at a time.
std::vector<double> losses_on(Device device, const NetworkSpec& spec, DType dtype) {
  constexpr std::size_t kSteps = 6;
  const std::vector<TrainingBatch> batches = training_batches(training_cases().front(), dtype);
  Network network(spec, 5, dtype);
  network.to(device);
  Adam adam(network.parameters());
  std::vector<double> losses;
  for (std::size_t step = 0; step < kSteps; ++step) {
    const Variable x(batches[step].x.to(device));
    Variable loss;
    for (const Variable& out : network.forward_exits(x)) {
      const Variable own = out.shape().back() == 10 ? cross_entropy(out, batches[step].target)
                                                    : mse_loss(out, reshape(x, out.shape()));
      loss = loss.defined() ? loss + own : own;
    }
    losses.push_back(loss.value().item());
    adam.zero_grad();
    loss.backward();
    adam.step();
  }
  return losses;
}

}  // namespace

TEST_CASE("training on the CPU follows training on the reference") {
  const std::vector<NetworkSpec> networks = {lenet_spec(), branchynet_spec(), classifier_spec(),
                                             autoencoder_spec("fmnist", OutputActivation::sigmoid)};
  for (const NetworkSpec& spec : networks) {
    CAPTURE(spec.name);
    for (const DType dtype : {DType::f32, DType::f64}) {
      const std::vector<double> cpu = losses_on(Device::cpu, spec, dtype);
      const std::vector<double> reference = losses_on(Device::reference, spec, dtype);
      CHECK(reference.back() < reference.front());
      for (std::size_t step = 0; step < cpu.size(); ++step) {
        CAPTURE(step);
        CHECK(std::abs(cpu[step] - reference[step]) <= curve_tolerance(dtype, step) * reference[step]);
      }
    }
  }
}
