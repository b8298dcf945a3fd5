#include "models/kinds/conv2d.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::conv2d_samples() {
  return {
      {kinds::Conv2d{.out = 5, .kernel_size = 3, .padding = 1}, {{3, 8, 9}}},
      {kinds::Conv2d{.out = 4, .kernel_size = {3, 2}, .stride = {1, 2}, .padding = Pair(1, 0), .bias = false},
       {{2, 7, 8}}},
      {kinds::Conv2d{.out = 6, .kernel_size = 3, .stride = 2, .padding = {0, 0, 1, 1}, .groups = 2},
       {{4, 8, 8}}},
      {kinds::Conv2d{.out = 2, .kernel_size = {1, 5}, .padding = {0, 3, 0, 1}, .dilation = {1, 2}},
       {{1, 4, 9}}}};
}

TEST_CASE("conv2d: sizes that do not fit throw") {
  CHECK_THROWS_SAYING((kinds::Conv2d{.out = 2, .kernel_size = 5}.infer(std::vector<Shape>{{1, 4, 4}})),
                      std::invalid_argument, "[conv2d] the kernel is larger than the padded input (1,4,4)");
  CHECK_THROWS_SAYING((kinds::Conv2d{.out = 2}.infer(std::vector<Shape>{{4}})), std::invalid_argument,
                      "[conv2d] needs planes (C,H,W); got (4)");
  CHECK_THROWS_SAYING((kinds::Conv2d{.out = 3, .groups = 2}.infer(std::vector<Shape>{{2, 4, 4}})),
                      std::invalid_argument, "[conv2d] channels (2 in, 3 out) must divide into 2 groups");
  CHECK_THROWS_SAYING((kinds::Conv2d{}.infer(std::vector<Shape>{{2, 4, 4}})), std::invalid_argument,
                      "[conv2d] channels (2 in, 0 out)");
  CHECK_THROWS_SAYING((kinds::Conv2d{.out = 1, .stride = {1, 0}}.infer(std::vector<Shape>{{2, 4, 4}})),
                      std::invalid_argument, "stride and dilation must be 1 to");
}

TEST_CASE("conv2d: sizes and costs, direction by direction") {
  const kinds::Conv2d layer{
      .out = 6, .kernel_size = {3, 2}, .stride = {2, 1}, .padding = {1, 0, 0, 1}, .groups = 2};
  const std::vector<Shape> in = {{4, 8, 8}};
  CHECK(layer.infer(in) == Shape{6, 4, 8});
  const Cost cost = layer.cost(in, layer.infer(in));
  CHECK(cost.macs == 6 * 4 * 8 * 2 * 3 * 2);
  CHECK(cost.parameters == 6 * 2 * 3 * 2 + 6);
}
