#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/conformance/results.h"
#include "tests/conformance/training_cases.h"

// LibTorch's results in a file, so that machines without it compare as well:
// tests/golden/libtorch.safetensors, which scripts/golden makes.

namespace cbnet::testing {

struct GoldenOp {
  std::string op;
  OpConfig config;
  Results results;
};

struct Golden {
  std::string libtorch_version;
  std::vector<GoldenOp> ops;
  /// By case name: the parameter after the last step; the loss of every step (f64, steps).
  std::vector<std::pair<std::string, Tensor>> optimizers, curves;
};

std::filesystem::path golden_path();
void write_golden(const std::filesystem::path& path, const Golden& golden);
/// Throws InputError for a file that is not one.
Golden read_golden(const std::filesystem::path& path);

}  // namespace cbnet::testing
