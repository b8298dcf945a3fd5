#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "autograd/tape.h"

namespace cbnet {
namespace {

double weighted_sum(const Tensor& output, const std::vector<double>& cotangent) {
  const std::vector<double> values = output.to_vector<double>();
  double sum = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += values[i] * cotangent[i];
  return sum;
}

}  // namespace

GradcheckResult gradcheck(const std::function<Variable(const std::vector<Variable>&)>& f,
                          const std::vector<Variable>& inputs, const GradcheckOptions& options) {
  GradcheckResult result;
  // Leaves of our own: the caller's gradients stay as they are.
  std::vector<Variable> leaves;
  for (const Variable& input : inputs) {
    require(input.dtype() == DType::f64, "gradcheck", "inputs must be f64; got ", input.value());
    leaves.emplace_back(input.value(), input.requires_grad());
  }

  Variable output = f(leaves);
  if (!output.requires_grad()) {
    result.message = "the output does not depend on any input that requires a gradient";
    return result;
  }
  Rng rng(options.seed, 0x6c);
  const Tensor cotangent = Tensor::normal(output.shape(), 0.0, 1.0, rng, DType::f64);
  const std::vector<double> weights = cotangent.to_vector<double>();
  output.backward(cotangent);

  bool all_zero = true;
  const NoGrad no_grad;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (!leaves[i].requires_grad()) continue;
    if (!leaves[i].grad().defined()) {
      result.message = concat("input ", i, " got no gradient");
      return result;
    }
    const std::vector<double> analytic = leaves[i].grad().to_vector<double>();
    const Tensor original = leaves[i].value();
    for (std::size_t e = 0; e < analytic.size(); ++e) {
      const auto shifted = [&](double delta) {
        Tensor moved = original.clone();
        moved.data<double>()[e] += delta;
        std::vector<Variable> arguments = leaves;
        arguments[i] = Variable(moved);
        return weighted_sum(f(arguments).value(), weights);
      };
      const double numeric = (shifted(options.step) - shifted(-options.step)) / (2.0 * options.step);
      const double scale = std::max({1.0, std::abs(analytic[e]), std::abs(numeric)});
      const double error = std::abs(analytic[e] - numeric) / scale;
      all_zero = all_zero && analytic[e] == 0.0;
      if (!(error <= result.worst_error)) {
        result.worst_error = error;
        result.message =
            concat("input ", i, ", element ", e, ": analytic ", analytic[e], ", numeric ", numeric);
      }
      if (std::isnan(error)) return result;
    }
  }
  if (all_zero && !options.expect_all_zero) {
    result.message = "every gradient is zero, which proves nothing; declare expect_all_zero if it should be";
    return result;
  }
  result.ok = result.worst_error <= options.tolerance;
  return result;
}

}  // namespace cbnet
