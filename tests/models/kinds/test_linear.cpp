#include "models/kinds/linear.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::linear_samples() {
  return {{kinds::Linear{.out = 7}, {{12}}}, {kinds::Linear{.out = 1, .bias = false}, {{300}}}};
}

TEST_CASE("linear: a sample must be one row") {
  CHECK_THROWS_SAYING((kinds::Linear{.out = 2}.infer(std::vector<Shape>{{1, 4}})), std::invalid_argument,
                      "[linear] needs (features) and at least one output; got (1,4); hint: flatten first");
  CHECK_THROWS_SAYING((kinds::Linear{}.infer(std::vector<Shape>{{4}})), std::invalid_argument,
                      "at least one output");
  const std::vector<Shape> in = {{5}};
  CHECK(kinds::Linear{.out = 3}.cost(in, {3}).parameters == 18);
  CHECK(kinds::Linear{.out = 3, .bias = false}.cost(in, {3}).parameters == 15);
}
