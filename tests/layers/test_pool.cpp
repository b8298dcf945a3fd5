#include "layers/pool.h"

#include <doctest/doctest.h>

using namespace cbnet;

TEST_CASE("pools halve, rounding up when asked, and average over the whole image") {
  const Variable x(Tensor::from<float>({1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 1, 3, 3}));
  Pool2dOptions up = Pool2dOptions::square(2, 2);
  CHECK(MaxPool2d(up)(x).value().to_vector<float>() == std::vector<float>{5});
  up.ceil_mode = true;
  CHECK(MaxPool2d(up)(x).value().to_vector<float>() == std::vector<float>{5, 6, 8, 9});
  CHECK(AvgPool2d(up)(x).value().to_vector<float>() == std::vector<float>{3, 4.5, 7.5, 9});
  CHECK(GlobalAvgPool2d()(x).value().to_vector<float>() == std::vector<float>{5});
}
