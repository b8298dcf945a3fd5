#pragma once

#include <string>
#include <vector>

#include "tests/conformance/configs.h"

namespace cbnet::testing {

/// The cotangent that all implementations use: normal values, the same for the same shape.
Tensor cotangent(const Shape& shape);

/// The results of one implementation, f64: the output, what else changed, and the gradients asked for.
struct Results {
  std::vector<Tensor> outputs;
  std::vector<Tensor> gradients;
};

/// Runs our op on `inputs` (the config's, perhaps converted or as views) and backwards from cotangent().
Results run_ours(const OpUnderTest& op, const OpConfig& config, const std::vector<Tensor>& inputs);

/// The same on a device, where all that the op makes besides is made too.
Results run_on(Device device, const OpUnderTest& op, const OpConfig& config,
               const std::vector<Tensor>& inputs);

/// The largest |a - b| over the largest |b|, finite elements only; infinite when shapes differ, or where one
/// is NaN or infinite and the other is not the same. Where b is smaller than `floor`, over `floor`.
double relative_error(const Tensor& a, const Tensor& b, double floor);
/// The worst of several; infinite when their number differs.
double relative_error(const std::vector<Tensor>& a, const std::vector<Tensor>& b, double floor);

}  // namespace cbnet::testing
