#pragma once

#include "tests/conformance/results.h"

// Every op once more, as loops over single f64 elements: no kernel, no BLAS, no line of the engine's maths,
// and gradients from Number's own differentiation.

namespace cbnet::testing {

/// Throws std::out_of_range for a name without loops.
Results run_naive(const std::string& name, const OpConfig& config, const std::vector<Tensor>& inputs);

}  // namespace cbnet::testing
