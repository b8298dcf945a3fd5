#include "models/kinds/relu.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::relu_samples() {
  return {{kinds::Relu{}, {{5}}}, {kinds::Relu{}, {{2, 3, 4}}}};
}

TEST_CASE("relu: one layer is read") {
  CHECK_THROWS_SAYING((kinds::Relu{}.infer(std::vector<Shape>{{2}, {2}})), std::invalid_argument,
                      "[relu] reads 1 layer; got 2");
}
