#include "models/kinds/log_softmax.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::log_softmax_samples() {
  return {{kinds::LogSoftmax{}, {{5}}}, {kinds::LogSoftmax{}, {{2, 3, 4}}}};
}

TEST_CASE("log_softmax: an axis is needed") {
  CHECK_THROWS_SAYING((kinds::LogSoftmax{}.infer(std::vector<Shape>{{}})), std::invalid_argument,
                      "[log_softmax] needs an axis; got ()");
}
