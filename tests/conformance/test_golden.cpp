// Every op, Adam, SGD and whole trainings against the stored results of LibTorch.

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "tests/conformance/golden.h"

using namespace cbnet;
using namespace cbnet::testing;

TEST_CASE("every op equals LibTorch's stored results") {
  const Golden golden = read_golden(golden_path());
  std::map<std::string, int> seen;
  std::map<std::string, const OpUnderTest*> by_name;
  for (const OpUnderTest& op : ops_under_test()) by_name[op.name] = &op;
  for (const GoldenOp& one : golden.ops) {
    CAPTURE(one.op);
    CAPTURE(one.config.text());
    const OpUnderTest& op = *by_name.at(one.op);
    const Tolerance allowed = tolerance_of(one.op);
    ++seen[one.op];
    for (const DType dtype : {DType::f32, DType::f64}) {
      std::vector<Tensor> inputs;
      for (const Tensor& input : one.config.inputs) inputs.push_back(input.to(dtype));
      const Results ours = run_ours(op, one.config, inputs);
      const double tolerance = dtype == DType::f32 ? allowed.f32 : allowed.f64;
      CHECK(relative_error(ours.outputs, one.results.outputs, allowed.output_floor) <= tolerance);
      CHECK(relative_error(ours.gradients, one.results.gradients, allowed.gradient_floor) <= tolerance);
    }
  }
  for (const OpUnderTest& op : ops_under_test()) {
    CAPTURE(std::string(op.name));
    INFO("hint: a new op needs scripts/golden");
    CHECK(seen[op.name] >= 3);
  }
}

TEST_CASE("optimizers and trainings equal LibTorch's stored ones") {
  const Golden golden = read_golden(golden_path());
  const std::map<std::string, Tensor> optimizers(golden.optimizers.begin(), golden.optimizers.end());
  for (const OptimizerCase& which : optimizer_cases()) {
    CAPTURE(which.name);
    CHECK(relative_error(run_ours(which, DType::f64).back(), optimizers.at(which.name), 1e-30) <= 1e-13);
    CHECK(relative_error(run_ours(which, DType::f32).back(), optimizers.at(which.name), 1e-30) <= 1e-4);
  }
  const std::map<std::string, Tensor> curves(golden.curves.begin(), golden.curves.end());
  for (const TrainingCase& which : training_cases()) {
    CAPTURE(which.name);
    const std::vector<double> theirs = curves.at(which.name).to_vector<double>();
    const std::vector<double> ours = run_ours(which, DType::f64);
    REQUIRE(ours.size() == theirs.size());
    for (std::size_t step = 0; step < ours.size(); ++step) {
      CAPTURE(step);
      CHECK(std::abs(ours[step] - theirs[step]) <= curve_tolerance(DType::f64, step) * theirs[step]);
    }
  }
}
