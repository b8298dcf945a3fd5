// Every op against LibTorch, forward and backward, over random configurations in f32 and f64.

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/autograd/ops/samples.h"
#include "tests/conformance/torch.h"
#include "tests/support/record.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

constexpr int kConfigs = 200;

/// Contiguous, transposed or strided, by turns.
Tensor in_layout(const Tensor& tensor, int turn) {
  return turn % 3 == 0 ? tensor : turn % 3 == 1 ? transposed_storage(tensor) : strided_storage(tensor);
}

struct Worst {
  double forward = 0.0;
  double backward = 0.0;
};

/// kConfigs of one op; the worst errors.
Worst compare(const OpUnderTest& op, DType dtype) {
  const Tolerance allowed = tolerance_of(op.name);
  const double tolerance = dtype == DType::f32 ? allowed.f32 : allowed.f64;
  Worst worst;
  for (int i = 0; i < kConfigs; ++i) {
    Draw draw(static_cast<std::uint64_t>(1'000 * i) + 7);
    const OpConfig config = op.draw(draw);
    CAPTURE(std::string(op.name));
    CAPTURE(i);
    CAPTURE(config.text());
    std::vector<Tensor> inputs, views;
    for (const Tensor& input : config.inputs) {
      inputs.push_back(input.to(dtype));
      views.push_back(in_layout(inputs.back(), i));
    }
    const Results ours = run_ours(op, config, views);
    const Results theirs = run_torch(op.name, config, inputs);
    const double forward = relative_error(ours.outputs, theirs.outputs, allowed.output_floor);
    CHECK(forward <= tolerance);
    worst.forward = std::max(worst.forward, forward);
    // LibTorch gives the gradient of a window of padding only, whose maximum is -inf, to an element outside
    // of it.
    if (std::string(op.name) == "max_pool2d" && !all_finite(ours.outputs.front())) continue;
    const double backward = relative_error(ours.gradients, theirs.gradients, allowed.gradient_floor);
    CHECK(backward <= tolerance);
    worst.backward = std::max(worst.backward, backward);
  }
  return worst;
}

}  // namespace

TEST_CASE("every op agrees with LibTorch") {
  for (const OpUnderTest& op : ops_under_test()) {
    const Worst narrow = compare(op, DType::f32);
    const Worst wide = compare(op, DType::f64);
    record("torch", op.name, {kConfigs, narrow.forward, narrow.backward, wide.forward, wide.backward});
  }
}
