#include "models/kinds/softmax.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::softmax_samples() {
  return {{kinds::Softmax{}, {{5}}}, {kinds::Softmax{}, {{2, 3, 4}}}};
}

TEST_CASE("softmax: an axis is needed") {
  CHECK_THROWS_SAYING((kinds::Softmax{}.infer(std::vector<Shape>{{}})), std::invalid_argument,
                      "[softmax] needs an axis; got ()");
}
