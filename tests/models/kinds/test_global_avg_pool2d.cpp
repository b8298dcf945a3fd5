#include "models/kinds/global_avg_pool2d.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::global_avg_pool2d_samples() {
  return {{kinds::GlobalAvgPool2d{}, {{3, 5, 4}}}, {kinds::GlobalAvgPool2d{}, {{1, 1, 1}}}};
}

TEST_CASE("global_avg_pool2d: planes are needed") {
  CHECK_THROWS_SAYING((kinds::GlobalAvgPool2d{}.infer(std::vector<Shape>{{3, 5}})), std::invalid_argument,
                      "[global_avg_pool2d] needs planes (C,H,W); got (3,5)");
}
