#include "models/kinds/leaky_relu.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::leaky_relu_samples() {
  return {{kinds::LeakyRelu{}, {{5}}}, {kinds::LeakyRelu{.slope = -0.5}, {{2, 3, 4}}}};
}

TEST_CASE("leaky_relu: the slope is told") {
  CHECK(describe(kinds::LeakyRelu{.slope = 0.2}) == "leaky_relu, slope 0.2");
}
