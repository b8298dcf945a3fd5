#include "models/kinds/dropout.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::dropout_samples() { return {{kinds::Dropout{.p = 0.5}, {{5}}}}; }

TEST_CASE("dropout: what it leaves out is told") {
  CHECK(describe(kinds::Dropout{.p = 0.5}) == "dropout, p 0.5");
}
