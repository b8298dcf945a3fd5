#include "models/kinds/add.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::add_samples() {
  return {{kinds::Add{}, {{5}, {5}}},
          {kinds::Add{}, {{2, 1, 4}, {2, 3, 1}}},
          {kinds::Add{.shape = {3, 1}}, {{2, 3, 4}}}};
}

TEST_CASE("add: sizes must stretch to one another") {
  CHECK_THROWS_SAYING((kinds::Add{}.infer(std::vector<Shape>{{2, 3}, {6}})), std::invalid_argument,
                      "[add] sizes do not fit; got (2,3) and (6)");
  CHECK_THROWS_SAYING((kinds::Add{}.infer(std::vector<Shape>{{2, 3}})), std::invalid_argument,
                      "[add] reads 2 layers; got 1");
  CHECK_THROWS_SAYING((kinds::Add{.shape = {4}}.infer(std::vector<Shape>{{2, 3}})), std::invalid_argument,
                      "[add] shapes must broadcast");
}
