#include "models/kinds/mul.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::mul_samples() {
  return {{kinds::Mul{}, {{5}, {5}}},
          {kinds::Mul{}, {{2, 1, 4}, {2, 3, 1}}},
          {kinds::Mul{.shape = {3, 1}}, {{2, 3, 4}}}};
}

TEST_CASE("mul: sizes must stretch to one another") {
  CHECK_THROWS_SAYING((kinds::Mul{}.infer(std::vector<Shape>{{2, 3}, {6}})), std::invalid_argument,
                      "[mul] sizes do not fit; got (2,3) and (6)");
  CHECK_THROWS_SAYING((kinds::Mul{}.infer(std::vector<Shape>{{2, 3}})), std::invalid_argument,
                      "[mul] reads 2 layers; got 1");
  CHECK_THROWS_SAYING((kinds::Mul{.shape = {4}}.infer(std::vector<Shape>{{2, 3}})), std::invalid_argument,
                      "[mul] shapes must broadcast");
}
