#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace cbnet {

struct GradcheckOptions {
  /// Differences are central: (f(x + step) - f(x - step)) / (2 step). 1e-5 balances truncation (step^2) and
  /// rounding (eps / step) in f64, both near 1e-10.
  double step = 1e-5;
  /// |analytic - numeric| <= tolerance * the largest gradient of that input, or 1e-3 where all are smaller.
  double tolerance = 1e-6;
  /// So many elements of an input are tried, chosen by the seed; 0 tries all. For networks, whose every
  /// element costs two forwards.
  std::int64_t elements = 0;
  std::uint64_t seed = 1;
  /// A function whose every gradient is zero passes only when that is declared.
  bool expect_all_zero = false;
};

struct GradcheckResult {
  bool ok = false;
  double worst_error = 0.0;
  /// This names input, element and both values at the worst place, or why the check could not run.
  std::string message;
};

/// Compares the gradients of sum(cotangent * f(inputs)), cotangent random, with central differences, for
/// every element of every input that requires a gradient. The inputs must be f64.
GradcheckResult gradcheck(const std::function<Variable(const std::vector<Variable>&)>& f,
                          const std::vector<Variable>& inputs, const GradcheckOptions& options = {});

/// Checks a function of variables that it holds itself, such as a network's loss: `leaves` are those
/// variables, contiguous. Their elements are moved one at a time and put back; their gradients are replaced.
GradcheckResult gradcheck(const std::function<Variable()>& f, std::vector<Variable> leaves,
                          const GradcheckOptions& options = {});

}  // namespace cbnet
