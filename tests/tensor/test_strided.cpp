#include "tensor/cpu/kernels/strided.h"

#include <doctest/doctest.h>

using namespace cbnet;

TEST_CASE("axes that all arrays walk with one stride are merged, ones dropped") {
  std::vector<std::int64_t> shape = {2, 1, 3, 4};
  std::vector<std::vector<std::int64_t>> strides = {{12, 7, 4, 1}, {24, 0, 8, 2}};
  kernels::collapse_axes(shape, strides);
  CHECK(shape == std::vector<std::int64_t>{24});
  CHECK(strides[0] == std::vector<std::int64_t>{1});
  CHECK(strides[1] == std::vector<std::int64_t>{2});

  shape = {2, 3};
  strides = {{3, 1}, {1, 2}};
  kernels::collapse_axes(shape, strides);
  CHECK(shape == std::vector<std::int64_t>{2, 3});

  shape = {1, 1};
  strides = {{1, 1}};
  kernels::collapse_axes(shape, strides);
  CHECK(shape == std::vector<std::int64_t>{1});
}

TEST_CASE("rows visit every element once, in row-major order for one thread") {
  const int before = num_threads();
  set_num_threads(1);
  std::vector<std::int64_t> visited;
  kernels::for_each_row<2>({2, 3}, {{3, 1}, {1, 2}},
                           [&](const std::int64_t* offsets, const std::int64_t* strides, std::int64_t count) {
                             for (std::int64_t i = 0; i < count; ++i)
                               visited.push_back(offsets[1] + i * strides[1]);
                           });
  CHECK(visited == std::vector<std::int64_t>{0, 2, 4, 1, 3, 5});
  kernels::for_each_row<1>({4, 0}, {{1, 1}},
                           [&](auto, auto, std::int64_t) { FAIL("an empty array has no rows"); });
  set_num_threads(before);
}
