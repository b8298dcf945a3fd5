#include "models/kinds/residual.h"

#include "models/kinds/conv2d.h"
#include "models/kinds/linear.h"
#include "models/kinds/relu.h"
#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::residual_samples() {
  const kinds::Conv2d conv{.out = 4, .kernel_size = 3, .padding = 1};
  return {{kinds::Residual{.body = {conv, kinds::Relu{}}}, {{4, 5, 5}}},
          {kinds::Residual{.body = {conv}, .shortcut = {kinds::Conv2d{.out = 4}}}, {{3, 5, 5}}}};
}

TEST_CASE("residual: body and shortcut give one shape") {
  const kinds::Residual layer{.body = {kinds::Conv2d{.out = 2}}};
  CHECK_THROWS_SAYING(layer.infer(std::vector<Shape>{{1, 4, 4}}), std::invalid_argument,
                      "[residual] body and shortcut must give one shape; got (2,4,4) and (1,4,4)");
  const kinds::Residual deep{.body = {kinds::Linear{.out = 2}}};
  CHECK_THROWS_SAYING(deep.infer(std::vector<Shape>{{1, 4, 4}}), std::invalid_argument,
                      "body.0: [linear] needs (features)");
}
