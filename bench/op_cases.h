#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace cbnet::bench {

/// This is one op as the paper's models call it, batch 64, f32.
struct OpCase {
  std::string name;
  std::vector<Tensor> inputs;
  std::vector<bool> needs_grad;  // one per input
  std::function<Variable(const std::vector<Variable>&)> call;
  std::int64_t macs = 0;  // of a forward; 0 for what only moves and maps elements
};

/// Lists one case per line of ops.def and pointwise.def; an op without one does not link.
std::vector<OpCase> op_cases();

}  // namespace cbnet::bench
