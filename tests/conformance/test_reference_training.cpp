// Training of each of the paper's networks on the reference backend, which the CPU's must follow: steps that
// are written out here, and small epochs of the training loop.

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/mse_loss.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reshape.h"
#include "cbnet/conversion.h"
#include "models/zoo.h"
#include "tests/conformance/training_cases.h"
#include "tests/support/bars.h"
#include "train/fit.h"

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

/// An epoch of the training loop over generated images, as `cbnet train --device` runs it.
struct Epoch {
  std::string name;
  NetworkSpec network;
  std::int64_t images, batch_size;
  /// Of the converting autoencoder's output; unset for a classifier.
  std::optional<OutputActivation> converts = std::nullopt;
  DType dtype = DType::f32;
};

struct Trained {
  std::vector<double> losses, start, weights;
};

/// Returns the whole state as one list.
std::vector<double> all_weights(const Network& network) {
  std::vector<double> out;
  for (const auto& [name, tensor] : network.state_dict()) {
    const std::vector<double> values = tensor.to(Device::cpu).to_vector<double>();
    out.insert(out.end(), values.begin(), values.end());
  }
  return out;
}

Trained train_on(Device device, const Epoch& epoch) {
  set_compute_device(device);
  const data::Dataset dataset = bar_dataset(epoch.images, 10);
  const std::vector<std::int64_t> truth = dataset.train.labels.to_vector<std::int64_t>();
  const TrainingData data = {dataset.train.images, dataset.train.labels,
                             data::stratified_split(dataset.train.labels, 0, 1)};
  Network network(epoch.network, 5, epoch.dtype);
  Recipe recipe;
  recipe.activity_l1 = 1e-4;
  recipe.reconstruction = ReconstructionLoss::mse;
  const ConversionTargets targets(
      dataset.train.images, label_hardness({std::vector<double>(truth.size(), 0.0), truth}, truth, 0.5, 10),
      recipe.target, epoch.converts.value_or(OutputActivation::sigmoid), 3);
  Trained out;
  Stage stage;
  stage.name = epoch.name;
  stage.network = &network;
  stage.recipe.epochs = 1;
  stage.recipe.batch_size = epoch.batch_size;
  stage.step = [&](const data::Batch& batch, std::int64_t number) {
    StepResult result;
    if (epoch.converts) {
      const Tensor rows = targets.rows(batch.labels, batch.indices, number);
      result = {conversion_loss(network, network.input(batch.pixels), network.input(rows).value(), recipe,
                                targets.rescale()),
                {}};
    } else {
      data::Batch own = batch;
      own.pixels = batch.pixels.to(epoch.dtype);
      result = classification_step(network, own);
    }
    out.losses.push_back(result.loss.value().item());
    return result;
  };
  stage.validate = [] { return std::map<std::string, double>{{"accuracy", 0.0}}; };
  out.start = all_weights(network);
  fit(stage, data, FitOptions());
  out.weights = all_weights(network);
  set_compute_device(Device::cpu);
  return out;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

}  // namespace

// Adam divides by the size of a gradient: where that is rounding noise, the two backends step apart. So
// weights are compared as a whole, with how far the epoch took them. ResNet-20 computes in f64: of its
// millions of numbers in front of a ReLU some are zero within the rounding of f32, and one that comes out on
// the other side changes the gradients of all layers before it by half a percent.
TEST_CASE("an epoch of the training loop on the CPU follows that on the reference") {
  const std::vector<Epoch> epochs = {
      {"lenet", lenet_spec(), 128, 16},
      {"branchynet", branchynet_spec(), 128, 16},
      {"autoencoder, sigmoid", autoencoder_spec("fmnist", OutputActivation::sigmoid), 128, 16,
       OutputActivation::sigmoid},
      {"autoencoder, softmax", autoencoder_spec("fmnist", OutputActivation::softmax), 128, 16,
       OutputActivation::softmax},
      {"alexnet", alexnet_spec({}), 24, 8},
      {"resnet20", resnet20_spec({}), 24, 8, std::nullopt, DType::f64},
  };
  for (const Epoch& epoch : epochs) {
    CAPTURE(epoch.name);
    const Trained cpu = train_on(Device::cpu, epoch), reference = train_on(Device::reference, epoch);
    CHECK(cpu.start == reference.start);
    REQUIRE(cpu.losses.size() == reference.losses.size());
    REQUIRE(cpu.losses.size() == static_cast<std::size_t>(epoch.images / epoch.batch_size));
    double worst = 0.0;
    for (std::size_t step = 0; step < cpu.losses.size(); ++step)
      worst = std::max(worst, std::abs(cpu.losses[step] / reference.losses[step] - 1.0));
    const bool is_f64 = epoch.dtype == DType::f64;
    CHECK(worst <= (is_f64 ? 1e-9 : 5e-5));
    const double way = distance(reference.weights, reference.start);
    CHECK(way > 0.0);
    CHECK(distance(cpu.weights, reference.weights) <= (is_f64 ? 1e-7 : 1e-3) * way);
    CHECK(cpu.weights != reference.weights);  // Sums in f64 round otherwise: there were two backends.
  }
}

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
