#include "models/kinds/concat.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::concat_samples() {
  return {{kinds::Concat{}, {{2, 3}, {1, 3}, {4, 3}}}, {kinds::Concat{.axis = 2}, {{2, 1, 3}, {2, 1, 2}}}};
}

TEST_CASE("concat: one rank, and equal sizes along other axes") {
  CHECK_THROWS_SAYING((kinds::Concat{}.infer(std::vector<Shape>{{2, 3}, {6}})), std::invalid_argument,
                      "[concat] needs one rank; got (2,3) and (6)");
  CHECK_THROWS_SAYING((kinds::Concat{}.infer(std::vector<Shape>{{2, 3}, {2, 4}})), std::invalid_argument,
                      "[concat] needs equal sizes besides axis 0; got (2,3) and (2,4)");
  CHECK_THROWS_SAYING((kinds::Concat{.axis = 2}.infer(std::vector<Shape>{{2, 3}})), std::invalid_argument,
                      "[concat] along axis 2 of (2,3)");
  CHECK_THROWS_SAYING((kinds::Concat{}.infer({})), std::invalid_argument,
                      "[concat] reads at least one layer");
}
