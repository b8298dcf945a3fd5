#include "models/kinds/batch_norm.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::batch_norm_samples() {
  return {{kinds::BatchNorm{}, {{5}}}, {kinds::BatchNorm{.epsilon = 0.1}, {{2, 3, 4}}}};
}

TEST_CASE("batch_norm: channels are needed") {
  CHECK_THROWS_SAYING((kinds::BatchNorm{}.infer(std::vector<Shape>{{}})), std::invalid_argument,
                      "[batch_norm] needs channels; got ()");
}
