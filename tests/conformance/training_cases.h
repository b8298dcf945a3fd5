#pragma once

#include <string>
#include <variant>
#include <vector>

#include "models/network.h"
#include "optim/adam.h"
#include "optim/sgd.h"

// Steps of optimizers and whole trainings that test_torch_training.cpp compares with LibTorch and
// test_golden.cpp with stored results.

namespace cbnet::testing {

struct OptimizerCase {
  std::string name;
  std::variant<AdamOptions, SgdOptions> options;
};
const std::vector<OptimizerCase>& optimizer_cases();

/// Where a parameter starts, and the gradients of 50 steps, from 1e-4 to 1e2 in size.
struct OptimizerInput {
  Tensor start;
  std::vector<Tensor> gradients;
};
OptimizerInput optimizer_input(DType dtype);

/// The parameter after every step, f64.
std::vector<Tensor> run_ours(const OptimizerCase& which, DType dtype);

struct TrainingBatch {
  Tensor x;
  Tensor target;  // i64 labels for cross-entropy, floating rows for the mean squared error
};

/// 100 steps of Adam on the trunk of a network, from the weights of one seed, on batches of 32 images of the
/// Fashion-MNIST excerpt. The autoencoders turn each image into the one before it.
struct TrainingCase {
  std::string name;
  NetworkSpec network;
  /// Of the L1 norm of the code, per sample; 0 for a classifier.
  double activity_penalty = 0.0;
};
const std::vector<TrainingCase>& training_cases();
StateDict initial_weights(const TrainingCase& which, DType dtype);
std::vector<TrainingBatch> training_batches(const TrainingCase& which, DType dtype);

/// The loss of every step.
std::vector<double> run_ours(const TrainingCase& which, DType dtype);

/// What |ours - theirs| / theirs may be at a step: 1e-9 in f64. In f32 Adam turns gradients that are rounding
/// noise into whole steps, and the curves part slowly: 1e-4 for ten steps, 2e-2 to the end.
double curve_tolerance(DType dtype, std::size_t step);

}  // namespace cbnet::testing
