// Adam, SGD and whole trainings against LibTorch, from the same weights on the same batches.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/conformance/results.h"
#include "tests/conformance/torch_training.h"
#include "tests/support/record.h"

using namespace cbnet;
using namespace cbnet::testing;

TEST_CASE("Adam and SGD take LibTorch's 50 steps") {
  for (const OptimizerCase& which : optimizer_cases()) {
    CAPTURE(which.name);
    const double narrow = relative_error(run_ours(which, DType::f32), run_torch(which, DType::f32), 1e-30);
    const double wide = relative_error(run_ours(which, DType::f64), run_torch(which, DType::f64), 1e-30);
    CHECK(narrow <= 1e-5);
    CHECK(wide <= 1e-13);
    record("torch_steps", which.name, {narrow, wide});
  }
}

TEST_CASE("networks learn along LibTorch's curve, 100 steps") {
  for (const TrainingCase& which : training_cases()) {
    CAPTURE(which.name);
    std::vector<double> worst;
    for (const DType dtype : {DType::f32, DType::f64}) {
      const std::vector<double> ours = run_ours(which, dtype);
      const std::vector<double> theirs = run_torch(which, dtype);
      REQUIRE(ours.size() == theirs.size());
      worst.push_back(0.0);
      for (std::size_t step = 0; step < ours.size(); ++step) {
        CAPTURE(step);
        const double error = std::abs(ours[step] - theirs[step]) / std::abs(theirs[step]);
        CHECK(error <= curve_tolerance(dtype, step));
        worst.back() = std::max(worst.back(), error);
      }
      CHECK(ours.back() < 0.95 * ours.front());
    }
    record("torch_curves", which.name, worst);
  }
}
