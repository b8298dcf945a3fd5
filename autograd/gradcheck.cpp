#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "autograd/tape.h"

namespace cbnet {
namespace {

double weighted_sum(const Tensor& output, const std::vector<double>& cotangent) {
  const std::vector<double> values = output.to_vector<double>();
  double sum = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += values[i] * cotangent[i];
  return sum;
}

/// `leaves` are what f is differentiated by; `probes`, contiguous, are what f's values are computed from,
/// through `evaluate`. They may be the same tensors.
GradcheckResult check(Variable output, const std::vector<Variable>& leaves, std::vector<Tensor> probes,
                      const std::function<Tensor()>& evaluate, const GradcheckOptions& options) {
  GradcheckResult result;
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
    double largest = 1e-3;
    for (const double gradient : analytic) {
      largest = std::max(largest, std::abs(gradient));
      all_zero = all_zero && gradient == 0.0;
    }
    std::vector<std::size_t> tried(analytic.size());
    std::iota(tried.begin(), tried.end(), std::size_t{0});
    if (options.elements > 0 && static_cast<std::size_t>(options.elements) < tried.size()) {
      rng.shuffle(std::span<std::size_t>(tried));
      tried.resize(static_cast<std::size_t>(options.elements));
    }
    for (const std::size_t e : tried) {
      Tensor element = probes[i].view({-1}).select(0, static_cast<std::int64_t>(e));
      const double before = element.item();
      const auto shifted = [&](double delta) {
        element.fill(before + delta);
        const double sum = weighted_sum(evaluate(), weights);
        element.fill(before);
        return sum;
      };
      const double numeric = (shifted(options.step) - shifted(-options.step)) / (2.0 * options.step);
      const double error = std::abs(analytic[e] - numeric) / std::max(largest, std::abs(numeric));
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

}  // namespace

GradcheckResult gradcheck(const std::function<Variable(const std::vector<Variable>&)>& f,
                          const std::vector<Variable>& inputs, const GradcheckOptions& options) {
  // These are leaves of our own: the caller's gradients and elements stay as they are.
  std::vector<Variable> leaves;
  std::vector<Tensor> probes;
  std::vector<Variable> arguments;
  for (const Variable& input : inputs) {
    require(input.dtype() == DType::f64, "gradcheck", "inputs must be f64; got ", input.value());
    leaves.emplace_back(input.value(), input.requires_grad());
    probes.push_back(input.value().clone());
    arguments.emplace_back(probes.back());
  }
  const auto evaluate = [&] { return f(arguments).value(); };
  return check(f(leaves), leaves, std::move(probes), evaluate, options);
}

GradcheckResult gradcheck(const std::function<Variable()>& f, std::vector<Variable> leaves,
                          const GradcheckOptions& options) {
  std::vector<Tensor> probes;
  for (Variable& leaf : leaves) {
    require(leaf.dtype() == DType::f64 && leaf.value().is_contiguous(), "gradcheck",
            "leaves must be f64 and contiguous; got ", leaf.value());
    leaf.zero_grad();
    probes.push_back(leaf.mutable_value());
  }
  const auto evaluate = [&] { return f().value(); };
  return check(f(), leaves, std::move(probes), evaluate, options);
}

}  // namespace cbnet
