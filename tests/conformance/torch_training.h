#pragma once

#include "tests/conformance/training_cases.h"

// LibTorch's optimizers, and its own forward, backward and Adam of a network from our description. Only
// torch_training.cpp sees its headers.

namespace cbnet::testing {

/// The parameter after every step, f64.
std::vector<Tensor> run_torch(const OptimizerCase& which, DType dtype);

/// The loss of every step.
std::vector<double> run_torch(const TrainingCase& which, DType dtype);

}  // namespace cbnet::testing
