#pragma once

#include <string>
#include <vector>

#include "autograd/variable.h"
#include "tests/conformance/draw.h"

// Random configurations of every op, which test_torch.cpp compares with LibTorch, test_parity.cpp with
// the reference backend and test_golden.cpp with stored results. configs.cpp has, for every line of ops.def
// and pointwise.def, how a configuration is drawn and how it is run; a missing one does not link.

namespace cbnet::testing {

/// What a call makes: y, and what it changes besides (the running statistics of batch_norm).
struct Outcome {
  Variable output;
  std::vector<Tensor> more = {};
};

/// How far an implementation may be from another one, and why, where it is more than usual.
struct Tolerance {
  /// Relative to the largest element; a few roundings, of up to a thousand terms.
  double f32 = 1e-5;
  double f64 = 1e-12;
  /// Outputs and gradients smaller than this are measured against these: what is left where larger terms
  /// cancel. The first is for LibTorch alone, whose formula may be the one that cancels.
  double output_floor = 1e-30;
  double gradient_floor = 1e-30;
  std::string reason = {};
};

struct OpUnderTest {
  const char* name;
  OpConfig (*draw)(Draw&);
  Outcome (*run)(const OpConfig&, const std::vector<Variable>& inputs);
};

/// All ops, in the order of ops.def and pointwise.def.
const std::vector<OpUnderTest>& ops_under_test();

Tolerance tolerance_of(const std::string& op);

}  // namespace cbnet::testing
