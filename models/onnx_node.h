#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tensor/tensor.h"

namespace cbnet {

/// A node of an ONNX graph, in words that need no ONNX library.
struct OnnxNode {
  /// What ONNX calls INT, FLOAT, STRING, INTS, FLOATS and TENSOR; monostate stands for every other type.
  using Value = std::variant<std::monostate, std::int64_t, float, std::string, std::vector<std::int64_t>,
                             std::vector<float>, Tensor>;
  using Attributes = std::vector<std::pair<std::string, Value>>;

  std::string op, name, domain = {};
  std::vector<std::string> inputs, outputs;  // an empty name stands for an input that is left out
  Attributes attributes = {};
};

}  // namespace cbnet
