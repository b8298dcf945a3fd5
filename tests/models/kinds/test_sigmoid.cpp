#include "models/kinds/sigmoid.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::sigmoid_samples() {
  return {{kinds::Sigmoid{}, {{5}}}, {kinds::Sigmoid{}, {{2, 3, 4}}}};
}

TEST_CASE("sigmoid: one layer is read") {
  CHECK_THROWS_SAYING((kinds::Sigmoid{}.infer(std::vector<Shape>{{2}, {2}})), std::invalid_argument,
                      "[sigmoid] reads 1 layer; got 2");
}
