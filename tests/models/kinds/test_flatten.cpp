#include "models/kinds/flatten.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::flatten_samples() {
  return {{kinds::Flatten{}, {{5}}}, {kinds::Flatten{}, {{2, 3, 4}}}};
}

TEST_CASE("flatten: one layer is read") {
  CHECK_THROWS_SAYING((kinds::Flatten{}.infer(std::vector<Shape>{{2}, {2}})), std::invalid_argument,
                      "[flatten] reads 1 layer; got 2");
}
