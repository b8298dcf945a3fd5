// Every op of ops.def and pointwise.def, on the samples that stand beside its test.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>

#include "autograd/gradcheck.h"
#include "autograd/ops/avg_pool2d.h"
#include "autograd/ops/batch_norm.h"
#include "autograd/ops/bce_loss.h"
#include "autograd/ops/bce_with_logits.h"
#include "autograd/ops/concat.h"
#include "autograd/ops/conv2d.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/dropout.h"
#include "autograd/ops/index_select.h"
#include "autograd/ops/l1_penalty.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/log_softmax.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/max.h"
#include "autograd/ops/max_pool2d.h"
#include "autograd/ops/mean.h"
#include "autograd/ops/mse_loss.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reshape.h"
#include "autograd/ops/softmax.h"
#include "autograd/ops/softmax_entropy.h"
#include "autograd/ops/sum.h"
#include "autograd/ops/transpose.h"
#include "tensor/parallel.h"
#include "tests/autograd/ops/samples.h"
#include "tests/support/record.h"

namespace cbnet::testing {
namespace {

struct OpCase {
  const char* name;
  bool differentiable;
  std::vector<OpSample> (*samples)();
};

template <OpType Op>
OpCase op_case(const char* name, std::vector<OpSample> (*samples)()) {
  CHECK(std::string(Op::kName) == name);
  return {name, Differentiable<Op>, samples};
}

std::vector<OpCase> all_ops() {
  std::vector<OpCase> cases;
#define OP(name, Type) cases.push_back(op_case<ops::Type>(#name, samples_##name));
#include "autograd/ops/ops.def"
#undef OP
#define UNARY(name, Type, ...) cases.push_back(op_case<ops::Type>(#name, samples_##name));
#define UNARY_PARAMETER(name, Type, ...) cases.push_back(op_case<ops::Type>(#name, samples_##name));
#define BINARY(name, Type, ...) cases.push_back(op_case<ops::Type>(#name, samples_##name));
#include "tensor/pointwise.def"
  return cases;
}

/// Calls check(op, sample) for every sample of every op; failures name both.
template <class Check>
void for_each_sample(Check check) {
  for (const OpCase& op : all_ops()) {
    CAPTURE(std::string(op.name));
    for (const OpSample& sample : op.samples()) {
      CAPTURE(sample.name);
      check(op, sample);
    }
  }
}

bool needs_grad(const OpSample& sample, std::size_t input) {
  return sample.needs_grad.empty() || sample.needs_grad[input];
}

std::vector<Variable> leaves_of(const OpSample& sample, const std::vector<Tensor>& inputs) {
  std::vector<Variable> leaves;
  for (std::size_t i = 0; i < inputs.size(); ++i) leaves.emplace_back(inputs[i], needs_grad(sample, i));
  return leaves;
}

/// The output first, then the gradient of every differentiable input for one fixed cotangent.
std::vector<Tensor> forward_and_gradients(const OpCase& op, const OpSample& sample,
                                          const std::vector<Variable>& leaves) {
  Variable output = sample.call(leaves);
  std::vector<Tensor> results = {output.value()};
  if (!op.differentiable) return results;
  output.backward(random(output.shape(), 99).to(output.dtype()));
  for (const Variable& leaf : leaves) {
    if (leaf.requires_grad()) results.push_back(leaf.grad());
  }
  return results;
}

/// The largest |a - b| / max(1, |a|), NaN being equal to NaN; infinite when shapes differ.
double distance(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined() || a.shape() != b.shape()) return kInfinity;
  const std::vector<double> as = a.to_vector<double>();
  const std::vector<double> bs = b.to_vector<double>();
  double worst = 0.0;
  for (std::size_t i = 0; i < as.size(); ++i) {
    if (as[i] == bs[i] || (is_nan(as[i]) && is_nan(bs[i]))) continue;
    const double error = std::abs(as[i] - bs[i]) / std::max(1.0, std::abs(as[i]));
    worst = is_nan(error) ? kInfinity : std::max(worst, error);
  }
  return worst;
}

void check_close(const std::vector<Tensor>& a, const std::vector<Tensor>& b, double tolerance) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    INFO((i == 0 ? "output" : "gradient " + std::to_string(i - 1)));
    CHECK(distance(a[i], b[i]) <= tolerance);
  }
}

}  // namespace

TEST_CASE("every op has samples that say enough") {
  for (const OpCase& op : all_ops()) {
    CAPTURE(std::string(op.name));
    const std::vector<OpSample> samples = op.samples();
    const auto has = [&](auto predicate) { return std::any_of(samples.begin(), samples.end(), predicate); };
    CHECK(has([](const OpSample& s) { return s.large; }));
    CHECK(has([](const OpSample& s) { return !s.large && !s.expect_all_zero; }));
    for (const OpSample& sample : samples) {
      CAPTURE(sample.name);
      const OpSample usual;
      const bool changed = sample.gradient_tolerance != usual.gradient_tolerance ||
                           sample.f32_tolerance != usual.f32_tolerance ||
                           sample.view_tolerance != usual.view_tolerance ||
                           sample.thread_tolerance != usual.thread_tolerance;
      CHECK((!changed || !sample.reason.empty()));
      CHECK(sample.gradient_tolerance <= 1e-6);
      CHECK((sample.needs_grad.empty() || sample.needs_grad.size() == sample.inputs.size()));
      for (const Tensor& input : sample.inputs) CHECK(input.dtype() == DType::f64);
    }
  }
}

TEST_CASE("gradients agree with central differences") {
  std::map<std::string, std::pair<double, double>> worst;  // op -> samples, worst error
  for_each_sample([&](const OpCase& op, const OpSample& sample) {
    if (!op.differentiable || sample.large) return;
    GradcheckOptions options;
    options.tolerance = sample.gradient_tolerance;
    options.expect_all_zero = sample.expect_all_zero;
    const GradcheckResult result = gradcheck(sample.call, leaves_of(sample, sample.inputs), options);
    INFO(result.message);
    CHECK(result.ok);
    CHECK(result.worst_error <= options.tolerance);
    auto& [samples, error] = worst[op.name];
    ++samples;
    error = std::max(error, result.worst_error);
  });
  for (const auto& [name, of] : worst) record("gradcheck", name, {of.first, of.second});
}

TEST_CASE("gradients that should be zero are") {
  for_each_sample([](const OpCase& op, const OpSample& sample) {
    if (!op.differentiable || !sample.expect_all_zero) return;
    const std::vector<Variable> leaves = leaves_of(sample, sample.inputs);
    const std::vector<Tensor> results = forward_and_gradients(op, sample, leaves);
    for (std::size_t i = 1; i < results.size(); ++i) {
      CHECK(distance(results[i], Tensor::zeros(results[i].shape(), DType::f64)) == 0.0);
    }
  });
}

TEST_CASE("f32 agrees with f64") {
  for_each_sample([](const OpCase& op, const OpSample& sample) {
    std::vector<Tensor> narrow;
    for (const Tensor& input : sample.inputs) narrow.push_back(input.to(DType::f32));
    // The f64 run gets the rounded values, so that only the op's own rounding is compared.
    std::vector<Tensor> wide;
    wide.reserve(narrow.size());
    for (const Tensor& input : narrow) wide.push_back(input.to(DType::f64));
    const std::vector<Variable> leaves32 = leaves_of(sample, narrow);
    const Variable y32 = sample.call(leaves32);
    CHECK(y32.dtype() == DType::f32);
    const NoGrad no_grad;
    CHECK(distance(sample.call(leaves_of(sample, wide)).value(), y32.value()) <= sample.f32_tolerance);
    if (op.differentiable) CHECK(y32.requires_grad());
  });
}

TEST_CASE("f32 gradients have the shape and dtype of their inputs") {
  for_each_sample([](const OpCase& op, const OpSample& sample) {
    if (!op.differentiable) return;
    std::vector<Tensor> narrow;
    for (const Tensor& input : sample.inputs) narrow.push_back(input.to(DType::f32));
    const std::vector<Variable> leaves = leaves_of(sample, narrow);
    forward_and_gradients(op, sample, leaves);
    for (const Variable& leaf : leaves) {
      if (!leaf.requires_grad()) continue;
      REQUIRE(leaf.grad().defined());
      CHECK(leaf.grad().dtype() == DType::f32);
      CHECK(leaf.grad().shape() == leaf.shape());
    }
  });
}

TEST_CASE("strided inputs give the same result") {
  for_each_sample([](const OpCase& op, const OpSample& sample) {
    const std::vector<Tensor> expected = forward_and_gradients(op, sample, leaves_of(sample, sample.inputs));
    for (Tensor (*layout)(const Tensor&) : {transposed_storage, strided_storage}) {
      CAPTURE((layout == strided_storage ? "strided" : "transposed"));
      std::vector<Tensor> views;
      for (const Tensor& input : sample.inputs) views.push_back(layout(input));
      check_close(expected, forward_and_gradients(op, sample, leaves_of(sample, views)),
                  sample.view_tolerance);
    }
  });
}

TEST_CASE("any number of threads gives the same result") {
  const int threads_before = num_threads();
  for_each_sample([](const OpCase& op, const OpSample& sample) {
    set_num_threads(1);
    const std::vector<Tensor> expected = forward_and_gradients(op, sample, leaves_of(sample, sample.inputs));
    for (const int threads : {2, 3}) {
      CAPTURE(threads);
      set_num_threads(threads);
      const std::vector<Tensor> first = forward_and_gradients(op, sample, leaves_of(sample, sample.inputs));
      check_close(expected, first, sample.thread_tolerance);
      INFO("the same number of threads gives the same bits");
      check_close(first, forward_and_gradients(op, sample, leaves_of(sample, sample.inputs)), 0.0);
    }
  });
  set_num_threads(threads_before);
}

TEST_CASE("a second use doubles the gradient") {
  for_each_sample([](const OpCase& op, const OpSample& sample) {
    if (!op.differentiable) return;
    const std::vector<Tensor> once = forward_and_gradients(op, sample, leaves_of(sample, sample.inputs));
    OpSample twice = sample;
    twice.call = [&](const std::vector<Variable>& in) { return sample.call(in) + sample.call(in); };
    const std::vector<Tensor> both = forward_and_gradients(op, twice, leaves_of(sample, sample.inputs));
    REQUIRE(once.size() == both.size());
    for (std::size_t i = 0; i < once.size(); ++i) {
      Tensor doubled = once[i].clone();
      doubled.scale(2.0);
      CHECK(distance(doubled, both[i]) == 0.0);
    }
  });
}

TEST_CASE("a gradient does not depend on which others are asked for") {
  for_each_sample([](const OpCase& op, const OpSample& sample) {
    if (!op.differentiable || sample.inputs.size() < 2) return;
    const std::vector<Variable> together = leaves_of(sample, sample.inputs);
    forward_and_gradients(op, sample, together);
    for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
      if (!needs_grad(sample, i)) continue;
      CAPTURE(i);
      OpSample one = sample;
      one.needs_grad.assign(sample.inputs.size(), false);
      one.needs_grad[i] = true;
      const std::vector<Tensor> alone = forward_and_gradients(op, one, leaves_of(one, sample.inputs));
      REQUIRE(alone.size() == 2);
      CHECK(distance(together[i].grad(), alone[1]) == 0.0);
    }
  });
}

TEST_CASE("ops leave their inputs and doutput as they were") {
  for_each_sample([](const OpCase& op, const OpSample& sample) {
    std::vector<Tensor> copies;
    for (const Tensor& input : sample.inputs) copies.push_back(input.clone());
    const std::vector<Variable> leaves = leaves_of(sample, copies);
    Variable output = sample.call(leaves);
    if (op.differentiable) {
      const Tensor seed = random(output.shape(), 99);
      output.backward(seed);
      CHECK(distance(random(output.shape(), 99), seed) == 0.0);
    }
    for (std::size_t i = 0; i < copies.size(); ++i) CHECK(distance(sample.inputs[i], copies[i]) == 0.0);
  });
}

TEST_CASE("strided cotangents give the same gradients") {
  for_each_sample([](const OpCase& op, const OpSample& sample) {
    if (!op.differentiable) return;
    const std::vector<Tensor> expected = forward_and_gradients(op, sample, leaves_of(sample, sample.inputs));
    const std::vector<Variable> leaves = leaves_of(sample, sample.inputs);
    Variable output = sample.call(leaves);
    output.backward(strided_storage(random(output.shape(), 99)));
    std::vector<Tensor> results = {output.value()};
    for (const Variable& leaf : leaves) {
      if (leaf.requires_grad()) results.push_back(leaf.grad());
    }
    check_close(expected, results, sample.view_tolerance);
  });
}

}  // namespace cbnet::testing
