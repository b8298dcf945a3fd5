#include "models/kinds/pad.h"

#include <cmath>

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::pad_samples() {
  return {{kinds::Pad{{0, 1, 2}, {0, 0, 3}}, {{2, 3, 4}}},
          {kinds::Pad{{2}, {0}, -0.5}, {{3}}},
          {kinds::Pad{{1, 0}, {1, 2}, 1.5}, {{2, 3}}},
          {kinds::Pad{{0, 1, 2}, {0, 2, 3}, 0.0, "reflect"}, {{2, 3, 4}}},
          {kinds::Pad{{3, 0, 2}, {0, 0, 1}, 0.0, "edge"}, {{2, 3, 1}}}};
}

TEST_CASE("pad: numbers for every axis, and one that is finite") {
  const std::vector<Shape> in = {{2, 3, 4}};
  CHECK(kinds::Pad{{0, 1, 2}, {1, 0, 3}}.infer(in) == Shape{3, 4, 9});
  CHECK_THROWS_SAYING((kinds::Pad{{1, 1}, {1, 1}}.infer(in)), std::invalid_argument,
                      "[pad] needs numbers for every axis of (2,3,4); got (1,1) and (1,1)");
  CHECK_THROWS_SAYING((kinds::Pad{{0, 0, -1}, {0, 0, 0}}.infer(in)), std::invalid_argument,
                      "[pad] sizes must be 0 to 1048576; got -1");
  CHECK_THROWS_SAYING((kinds::Pad{{0, 0, 0}, {0, 0, 0}, HUGE_VAL}.infer(in)), std::invalid_argument,
                      "[pad] the value must be finite; got inf");
  CHECK_THROWS_SAYING((kinds::Pad{{0, 2, 0}, {0, 3, 0}, 0.0, "reflect"}.infer(in)), std::invalid_argument,
                      "[pad] reflects at most 2 elements along axis 1; got (0,2,0) and (0,3,0)");
  CHECK_THROWS_SAYING((kinds::Pad{{0, 2, 0}, {0, 3, 0}, 0.0, "wrap"}.infer(in)), std::invalid_argument,
                      "[pad] the mode must be constant, edge or reflect; got wrap");
}

TEST_CASE("pad: what a convolution can do by itself") {
  CHECK(kinds::Pad{{0, 1, 2}, {0, 3, 4}}.of_planes() == Padding2d(1, 2, 3, 4));
  CHECK(!kinds::Pad{{1, 1, 2}, {0, 3, 4}}.of_planes());
  CHECK(!kinds::Pad{{0, 1, 2}, {0, 3, 4}, 1.0}.of_planes());
  CHECK(!kinds::Pad{{1}, {1}}.of_planes());
  CHECK(!kinds::Pad{{0, 1, 1}, {0, 1, 1}, 0.0, "edge"}.of_planes());
}
