#include "models/kinds/matmul.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::matmul_samples() {
  return {{kinds::Matmul{}, {{2, 3}, {3, 4}}},
          {kinds::Matmul{}, {{1, 20}, {20, 1}}},
          {kinds::Matmul{}, {{2, 3, 4}, {2, 4, 5}}}};
}

TEST_CASE("matmul: the sizes inside must be equal") {
  CHECK_THROWS_SAYING((kinds::Matmul{}.infer(std::vector<Shape>{{2, 3}, {2, 3}})), std::invalid_argument,
                      "[matmul] needs (…,M,K) and (…,K,N); got (2,3) and (2,3)");
  const std::vector<Shape> in = {{2, 3}, {3, 4}};
  CHECK(kinds::Matmul{}.cost(in, {2, 4}).macs == 24);
}
