// One small epoch of each network through train/fit, on the emulated GPU and on the CPU: the same losses and
// weights within f32's rounding.
#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops/mse_loss.h"
#include "autograd/ops/reshape.h"
#include "models/networks.h"
#include "models/zoo.h"
#include "tests/support/bars.h"
#include "train/fit.h"

using namespace cbnet;

namespace {

struct Trained {
  FitResult result;
  std::vector<double> weights;
  std::vector<double> output;
};

TrainingData bars(std::int64_t images) {
  const data::Dataset bars = testing::bar_dataset(images, 1);
  TrainingData out{bars.train.images, bars.train.labels, {}};
  for (std::int64_t i = 0; i < images; ++i)
    (i % 5 == 4 ? out.split.validation : out.split.train).push_back(i);
  return out;
}

/// An autoencoder is to make its images.
StepResult reconstruct(Network& network, const data::Batch& batch) {
  const Variable x = network.input(batch.pixels);
  const Variable rows = reshape(x, {batch.pixels.size(0), -1});
  return {mse_loss(network.forward(x), rows), {}};
}

Trained train_on(Device device, const NetworkSpec& spec, const TrainingData& data, TrainRecipe recipe,
                 const Normalisation& normalisation = {}) {
  Network network(spec, 3);
  network.to(device);
  recipe.epochs = 1;
  Stage stage{spec.name, &network, recipe, {}, [] { return std::map<std::string, double>{}; }};
  stage.normalisation = normalisation;
  const bool converts = spec.name.starts_with("autoencoder");
  stage.step = [&](const data::Batch& batch, std::int64_t) {
    return converts ? reconstruct(network, batch) : classification_step(network, batch);
  };
  FitOptions options;
  options.seed = 5;
  Trained out{fit(stage, data, options), {}, {}};
  for (const auto& [name, tensor] : network.state_dict()) {
    for (const double value : tensor.to_vector<double>()) out.weights.push_back(value);
  }
  network.eval();
  const Tensor some = data::to_float(data.images.slice(0, 0, 4));
  out.output = network.forward(network.input(some)).value().to_vector<double>();
  return out;
}

void check_same(const std::string& name, const NetworkSpec& spec, std::int64_t images, double tolerance,
                const data::Augmentation& augmentation = {}, const Normalisation& normalisation = {}) {
  CAPTURE(name);
  TrainRecipe recipe;
  recipe.batch_size = 16;
  recipe.learning_rate = 1e-3;
  recipe.augmentation = augmentation;
  const TrainingData data = bars(images);
  const Trained here = train_on(Device::cpu, spec, data, recipe, normalisation),
                there = train_on(Device::cuda, spec, data, recipe, normalisation);
  REQUIRE(here.output.size() == there.output.size());
  double worst = 0.0;
  for (std::size_t i = 0; i < here.output.size(); ++i)
    worst = std::max(worst, std::abs(here.output[i] - there.output[i]) / (1.0 + std::abs(here.output[i])));
  CHECK(worst < tolerance);
  double moved = 0.0;
  for (std::size_t i = 0; i < here.weights.size(); ++i) moved += std::abs(here.weights[i] - there.weights[i]);
  CHECK(moved / static_cast<double>(here.weights.size()) < tolerance);
  CHECK(here.result.log.size() == there.result.log.size());
}

}  // namespace

TEST_CASE("an epoch of LeNet and of BranchyNet on the device is the CPU's") {
  check_same("lenet", lenet_spec(), 80, 1e-3);
  check_same("branchynet", branchynet_spec(), 40, 1e-3);
}

TEST_CASE("an epoch of augmented and normalised pictures on the device is the CPU's") {
  check_same("lenet", lenet_spec(), 40, 1e-3, {.shift = 2, .flip = true, .crop = 1, .rotation = 10},
             {{0.3}, {0.5}});
}

TEST_CASE("the same seed gives the same bits on the device") {
  TrainRecipe recipe;
  recipe.batch_size = 16;
  const TrainingData data = bars(40);
  CHECK(train_on(Device::cuda, lenet_spec(), data, recipe).weights ==
        train_on(Device::cuda, lenet_spec(), data, recipe).weights);
}

TEST_CASE("an epoch of the autoencoder, of AlexNet and of ResNet-20 on the device is the CPU's") {
  check_same("autoencoder", autoencoder_spec("fmnist", OutputActivation::sigmoid), 40, 1e-3);
  check_same("alexnet", alexnet_spec({{1, 28, 28}, 10}), 20, 2e-3);
  check_same("resnet20", resnet20_spec({{1, 28, 28}, 10}), 20, 5e-3);
}
