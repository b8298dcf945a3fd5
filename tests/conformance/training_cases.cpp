#include "tests/conformance/training_cases.h"

#include <cmath>

#include "autograd/ops/cross_entropy.h"
#include "cbnet/conversion.h"
#include "data/dataset.h"
#include "models/zoo.h"

namespace cbnet::testing {
namespace {

constexpr int kOptimizerSteps = 50;
constexpr int kTrainingSteps = 100;
constexpr std::int64_t kBatch = 32;
constexpr std::uint64_t kSeed = 5;

const data::Split& excerpt() {
  static const std::string folder = std::string(CBNET_SOURCE_DIR) + "/tests/golden/fmnist-excerpt/";
  static const data::Split split =
      data::read_split(folder + "train-images-idx3-ubyte.gz", folder + "train-labels-idx1-ubyte.gz");
  return split;
}

}  // namespace

const std::vector<OptimizerCase>& optimizer_cases() {
  static const std::vector<OptimizerCase> cases = {
      {"adam", AdamOptions{}},
      {"adam, other betas and eps",
       AdamOptions{.learning_rate = 0.1, .beta1 = 0.5, .beta2 = 0.9, .eps = 1e-3}},
      {"adam, L2", AdamOptions{.learning_rate = 0.01, .weight_decay = 0.1}},
      {"adam, decoupled decay", AdamOptions{.learning_rate = 0.01, .weight_decay = 0.1, .decoupled = true}},
      {"sgd", SgdOptions{}},
      {"sgd, momentum", SgdOptions{.learning_rate = 0.1, .momentum = 0.9}},
      {"sgd, momentum, L2", SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01}},
      {"sgd, Nesterov, L2",
       SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true}},
  };
  return cases;
}

OptimizerInput optimizer_input(DType dtype) {
  Rng rng(11);
  OptimizerInput input{Tensor::normal({7, 13}, 0.0, 1.0, rng, dtype), {}};
  for (int step = 0; step < kOptimizerSteps; ++step) {
    input.gradients.push_back(Tensor::normal({7, 13}, 0.0, std::pow(10.0, step % 7 - 4), rng, dtype));
  }
  return input;
}

std::vector<Tensor> run_ours(const OptimizerCase& which, DType dtype) {
  const OptimizerInput input = optimizer_input(dtype);
  Variable parameter(input.start.clone(), true);
  std::unique_ptr<Optimizer> optimizer;
  if (const auto* adam = std::get_if<AdamOptions>(&which.options)) {
    optimizer = std::make_unique<Adam>(std::vector<Variable>{parameter}, *adam);
  } else {
    optimizer = std::make_unique<Sgd>(std::vector<Variable>{parameter}, std::get<SgdOptions>(which.options));
  }
  std::vector<Tensor> out;
  for (const Tensor& gradient : input.gradients) {
    parameter.mutable_grad() = gradient;
    optimizer->step();
    out.push_back(parameter.value().clone().to(DType::f64));
  }
  return out;
}

const std::vector<TrainingCase>& training_cases() {
  static const std::vector<TrainingCase> cases = {
      {"lenet", lenet_spec()},
      {"autoencoder, sigmoid", autoencoder_spec("fmnist", OutputActivation::sigmoid), 1e-3},
      {"autoencoder, softmax", autoencoder_spec("fmnist", OutputActivation::softmax), 1e-3},
  };
  return cases;
}

StateDict initial_weights(const TrainingCase& which, DType dtype) {
  return Network(which.network, kSeed, dtype).state_dict();
}

std::vector<TrainingBatch> training_batches(const TrainingCase& which, DType dtype) {
  const data::Split& split = excerpt();
  std::vector<TrainingBatch> out;
  for (std::int64_t step = 0; step < kTrainingSteps; ++step) {
    std::vector<double> pixels;
    std::vector<std::int64_t> labels;
    for (std::int64_t i = 0; i < kBatch; ++i) {
      const std::int64_t at = (step * kBatch + i) % split.size();
      for (const auto pixel : split.images.select(0, at).to_vector<std::uint8_t>())
        pixels.push_back(pixel / 255.0);
      labels.push_back(split.labels.data<std::uint8_t>()[at]);
    }
    const Tensor x = Tensor::from(pixels, {kBatch, 1, 28, 28}).to(dtype);
    Tensor target = Tensor::from(labels, {kBatch});
    if (which.activity_penalty != 0) {
      target = x.clone();
      target.slice(0, 1, kBatch).copy_from(x.slice(0, 0, kBatch - 1));
      target = target.view({kBatch, 784});
    }
    out.push_back({x, target});
  }
  return out;
}

std::vector<double> run_ours(const TrainingCase& which, DType dtype) {
  Network network(which.network, kSeed, dtype);
  Recipe recipe;
  recipe.reconstruction = ReconstructionLoss::mse;
  recipe.activity_l1 = which.activity_penalty;
  Adam adam(network.parameters());
  std::vector<double> losses;
  for (const TrainingBatch& batch : training_batches(which, dtype)) {
    const Variable x(batch.x);
    Variable loss = which.activity_penalty != 0 ? conversion_loss(network, x, batch.target, recipe, 1.0)
                                                : cross_entropy(network.forward(x), batch.target);
    losses.push_back(loss.value().item());
    adam.zero_grad();
    loss.backward();
    adam.step();
  }
  return losses;
}

double curve_tolerance(DType dtype, std::size_t step) {
  if (dtype == DType::f64) return 1e-9;
  return step < 10 ? 1e-4 : 2e-2;
}

}  // namespace cbnet::testing
