#include "tests/conformance/results.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cbnet::testing {

Tensor cotangent(const Shape& shape) {
  Rng rng(20'240'311);
  return Tensor::normal(shape, 0.0, 1.0, rng, DType::f64);
}

Results run_ours(const OpUnderTest& op, const OpConfig& config, const std::vector<Tensor>& inputs) {
  std::vector<Variable> leaves;
  for (std::size_t i = 0; i < inputs.size(); ++i) leaves.emplace_back(inputs[i], config.needs_grad[i]);
  Outcome outcome = op.run(config, leaves);
  Results results{{outcome.output.value().to(DType::f64)}, {}};
  for (const Tensor& changed : outcome.more) results.outputs.push_back(changed.to(DType::f64));
  if (!outcome.output.requires_grad()) return results;
  outcome.output.backward(cotangent(outcome.output.shape()).to(outcome.output.dtype()));
  for (const Variable& leaf : leaves) {
    if (leaf.requires_grad()) results.gradients.push_back(leaf.grad().to(DType::f64));
  }
  return results;
}

Results run_on(Device device, const OpUnderTest& op, const OpConfig& config,
               const std::vector<Tensor>& inputs) {
  std::vector<Tensor> moved;
  for (const Tensor& input : inputs) moved.push_back(input.to(device));
  const Device before = default_device();
  set_default_device(device);
  const Results results = run_ours(op, config, moved);
  set_default_device(before);
  return results;
}

double relative_error(const Tensor& a, const Tensor& b, double floor) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (a.shape() != b.shape()) return kInfinite;
  const std::vector<double> as = a.to_vector<double>();
  const std::vector<double> bs = b.to_vector<double>();
  double difference = 0.0;
  double scale = floor;
  for (std::size_t i = 0; i < as.size(); ++i) {
    const bool same = as[i] == bs[i] || (std::isnan(as[i]) && std::isnan(bs[i]));
    if (!std::isfinite(as[i]) || !std::isfinite(bs[i])) {
      if (!same) return kInfinite;
      continue;
    }
    difference = std::max(difference, std::abs(as[i] - bs[i]));
    scale = std::max(scale, std::abs(bs[i]));
  }
  return difference == 0.0 ? 0.0 : difference / scale;
}

double relative_error(const std::vector<Tensor>& a, const std::vector<Tensor>& b, double floor) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double worst = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, relative_error(a[i], b[i], floor));
  return worst;
}

}  // namespace cbnet::testing
