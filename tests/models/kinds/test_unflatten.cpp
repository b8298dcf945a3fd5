#include "models/kinds/unflatten.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::unflatten_samples() {
  return {{kinds::Unflatten{.shape = {2, 6}}, {{12}}}, {kinds::Unflatten{.shape = {4, 3, 1}}, {{2, 6}}}};
}

TEST_CASE("unflatten: as many numbers") {
  CHECK_THROWS_SAYING((kinds::Unflatten{.shape = {5}}.infer(std::vector<Shape>{{1, 4, 4}})),
                      std::invalid_argument, "[unflatten] cannot show (1,4,4) as (5)");
}
