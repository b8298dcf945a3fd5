#include "models/kinds/transpose.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::transpose_samples() {
  return {{kinds::Transpose{.axes = {1, 0}}, {{2, 3}}}, {kinds::Transpose{.axes = {2, 0, 1}}, {{2, 3, 4}}}};
}

TEST_CASE("transpose: every axis once") {
  CHECK_THROWS_SAYING((kinds::Transpose{.axes = {0, 0}}.infer(std::vector<Shape>{{2, 3}})),
                      std::invalid_argument, "[transpose] needs every axis of (2,3) once; got (0,0)");
  CHECK_THROWS_SAYING((kinds::Transpose{.axes = {0}}.infer(std::vector<Shape>{{2, 3}})),
                      std::invalid_argument, "[transpose] needs every axis");
  CHECK(kinds::Transpose{.axes = {2, 0, 1}}.infer(std::vector<Shape>{{2, 3, 4}}) == Shape{4, 2, 3});
}
