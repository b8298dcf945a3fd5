#pragma once

#include "tests/conformance/results.h"

// LibTorch's answers, in our tensors. Only torch.cpp sees its headers: they and doctest both define CHECK.

namespace cbnet::testing {

/// Runs LibTorch's op of that name on `inputs` (all f32 or all f64), and backwards from cotangent().
/// Throws std::out_of_range for a name it has no op for.
Results run_torch(const std::string& name, const OpConfig& config, const std::vector<Tensor>& inputs);

/// "1.13.1".
std::string torch_version();

}  // namespace cbnet::testing
