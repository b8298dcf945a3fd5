#include "models/kinds/tanh.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::tanh_samples() {
  return {{kinds::Tanh{}, {{5}}}, {kinds::Tanh{}, {{2, 3, 4}}}};
}

TEST_CASE("tanh: one layer is read") {
  CHECK_THROWS_SAYING((kinds::Tanh{}.infer(std::vector<Shape>{{2}, {2}})), std::invalid_argument,
                      "[tanh] reads 1 layer; got 2");
}
