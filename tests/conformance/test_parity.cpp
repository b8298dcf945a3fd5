// Every op in the ISA of this process against the reference backend in f64, each dimension taking each size
// of interest. ctest runs it once per compiled ISA, with CBNET_FORCE_ISA.

#include <doctest/doctest.h>

#include <algorithm>

#include "tensor/cpu/isa.h"
#include "tensor/parallel.h"
#include "tests/autograd/ops/samples.h"
#include "tests/conformance/results.h"
#include "tests/support/record.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

constexpr std::int64_t kSizes[] = {1, 7, 13, 16, 17, 127, 1000};
// Sizes that one configuration asks for, at most; reshape and the like ask for up to four.
constexpr int kMaxTurns = 9;

/// Calls check(config) for every turn and size, and for several seeds.
template <class Check>
void sweep(const OpUnderTest& op, Check check) {
  for (const std::int64_t size : kSizes) {
    for (int turn = 0; turn < kMaxTurns; ++turn) {
      // How often a size is asked for depends on the seed: three that ask often enough.
      int tried = 0;
      for (std::uint64_t seed = 0; seed < 12 && tried < 3; ++seed) {
        Draw draw(seed * 100 + static_cast<std::uint64_t>(turn), turn, size);
        const OpConfig config = op.draw(draw);
        if (draw.sizes() <= turn) continue;
        CAPTURE(std::string(op.name));
        CAPTURE(size);
        CAPTURE(config.text());
        check(config, turn);
        ++tried;
      }
    }
  }
}

std::vector<Tensor> converted(const std::vector<Tensor>& tensors, DType dtype) {
  std::vector<Tensor> out;
  out.reserve(tensors.size());
  for (const Tensor& tensor : tensors) out.push_back(tensor.to(dtype));
  return out;
}

}  // namespace

TEST_CASE("every op equals the reference backend") {
  const int threads_before = num_threads();
  for (const OpUnderTest& op : ops_under_test()) {
    const Tolerance allowed = tolerance_of(op.name);
    double configs = 0, worst_narrow = 0.0, worst_wide = 0.0;
    sweep(op, [&](const OpConfig& config, int turn) {
      ++configs;
      // Both dtypes start from values that f32 holds.
      const std::vector<Tensor> narrow = converted(config.inputs, DType::f32);
      const std::vector<Tensor> wide = converted(narrow, DType::f64);
      const Results expected = run_on(Device::reference, op, config, wide);
      set_num_threads(1 + turn % 3);
      const auto error_of = [&](const Results& got, double tolerance) {
        const double output = relative_error(got.outputs, expected.outputs, 1e-30);
        const double gradient = relative_error(got.gradients, expected.gradients, allowed.gradient_floor);
        INFO("output " << output << ", gradients " << gradient);
        CHECK(std::max(output, gradient) <= tolerance);
        return std::max(output, gradient);
      };
      worst_narrow = std::max(worst_narrow, error_of(run_ours(op, config, narrow), allowed.f32));
      worst_wide = std::max(worst_wide, error_of(run_ours(op, config, wide), allowed.f64));

      const Results again = run_ours(op, config, narrow), once_more = run_ours(op, config, narrow);
      INFO("the same again gives the same bits");
      CHECK(relative_error(again.outputs, once_more.outputs, 1.0) == 0.0);
      CHECK(relative_error(again.gradients, once_more.gradients, 1.0) == 0.0);
    });
    CHECK(configs >= 14);
    record(std::string("parity.") + to_string(active_isa()), op.name, {configs, worst_narrow, worst_wide});
  }
  set_num_threads(threads_before);
}
