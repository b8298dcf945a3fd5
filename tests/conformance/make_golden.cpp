// Writes LibTorch's results to the file that test_golden.cpp reads. See scripts/golden.

#include <cstdio>
#include <exception>

#include "tests/conformance/golden.h"
#include "tests/conformance/torch.h"
#include "tests/conformance/torch_training.h"

using namespace cbnet;
using namespace cbnet::testing;

namespace {

constexpr int kPerOp = 3;
constexpr std::int64_t kMaxElements = 400;  // inputs of one configuration

Golden make() {
  Golden golden{torch_version(), {}, {}, {}};
  for (const OpUnderTest& op : ops_under_test()) {
    int kept = 0;
    for (std::uint64_t seed = 0; kept < kPerOp; ++seed) {
      Draw draw(seed);
      const OpConfig config = op.draw(draw);
      std::int64_t elements = 0;
      for (const Tensor& input : config.inputs) elements += input.numel();
      // Finite and not empty: what a reader expects of an example.
      if (draw.special() || elements == 0 || elements > kMaxElements) continue;
      golden.ops.push_back({op.name, config, run_torch(op.name, config, config.inputs)});
      ++kept;
    }
  }
  for (const OptimizerCase& which : optimizer_cases()) {
    golden.optimizers.emplace_back(which.name, run_torch(which, DType::f64).back());
  }
  for (const TrainingCase& which : training_cases()) {
    const std::vector<double> losses = run_torch(which, DType::f64);
    golden.curves.emplace_back(which.name, Tensor::from(losses, {static_cast<std::int64_t>(losses.size())}));
  }
  return golden;
}

}  // namespace

int main() try {
  write_golden(golden_path(), make());
  std::printf("%s\n", golden_path().c_str());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "make_golden: %s\n", error.what());
  return 1;
}
