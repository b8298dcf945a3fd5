#include "models/kinds/avg_pool2d.h"

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::avg_pool2d_samples() {
  return {
      {kinds::AvgPool2d{.kernel_size = 2, .stride = 2}, {{3, 7, 8}}},
      {kinds::AvgPool2d{.kernel_size = {3, 2}, .stride = {2, 1}, .padding = Pair(1, 1)}, {{2, 7, 5}}},
      {kinds::AvgPool2d{.kernel_size = 3, .stride = 2, .ceil_mode = true}, {{2, 8, 8}}},
      {kinds::AvgPool2d{.kernel_size = 3, .stride = 2, .padding = {0, 0, 1, 1}, .count_include_pad = false},
       {{2, 8, 9}}},
      {kinds::AvgPool2d{.kernel_size = {3, 2}, .stride = 2, .padding = {1, 0, 0, 1}}, {{2, 8, 9}}}};
}

TEST_CASE("avg_pool2d: sizes that do not fit throw") {
  CHECK_THROWS_SAYING((kinds::AvgPool2d{.kernel_size = 5}.infer(std::vector<Shape>{{1, 4, 4}})),
                      std::invalid_argument, "[avg_pool2d] the kernel is larger");
  CHECK_THROWS_SAYING(
      (kinds::AvgPool2d{.kernel_size = 2, .padding = Pair(2, 0)}.infer(std::vector<Shape>{{1, 4, 4}})),
      std::invalid_argument, "[avg_pool2d] padding must be less than the kernel (2,2); got (2,0,2,0)");
  CHECK_THROWS_SAYING((kinds::AvgPool2d{.kernel_size = 2, .padding = {0, 0, 1, 0}, .ceil_mode = true}.infer(
                          std::vector<Shape>{{1, 4, 4}})),
                      std::invalid_argument, "[avg_pool2d] ceil_mode needs the same padding");
  CHECK_THROWS_SAYING((kinds::AvgPool2d{}.infer(std::vector<Shape>{{}})), std::invalid_argument,
                      "[avg_pool2d] needs planes");
}
