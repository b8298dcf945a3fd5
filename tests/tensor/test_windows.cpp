#include "tensor/windows.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <stdexcept>

using cbnet::Pool2dOptions;
using std::int64_t;

TEST_CASE("pool2d: options out of range throw with the caller's name") {
  const auto dims = [](int64_t h, int64_t w, const Pool2dOptions& options) {
    return cbnet::pool2d_dims("caller", 1, h, w, options);
  };
  CHECK_THROWS_WITH_AS(dims(4, 4, Pool2dOptions::square(-1, 1)), doctest::Contains("[caller] kernel_size"),
                       std::invalid_argument);
  constexpr int64_t kHuge = int64_t{1} << 40;
  CHECK_THROWS_WITH_AS(dims(4, 4, Pool2dOptions::square(kHuge, kHuge, 0, kHuge)),
                       doctest::Contains("must fit 31 bits"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(dims(1 << 16, 1 << 16, {}), doctest::Contains("H * W must fit 31 bits"),
                       std::invalid_argument);
}

TEST_CASE("pool2d: output sizes") {
  const auto size = [](int64_t in, const Pool2dOptions& options) {
    return cbnet::pool2d_dims("caller", 1, in, in, options).oh;
  };
  // (in + 2 padding - dilation (kernel - 1) - 1) / stride + 1.
  CHECK(size(28, Pool2dOptions::square(2, 2)) == 14);
  CHECK(size(7, Pool2dOptions::square(3, 2)) == 3);
  CHECK(size(7, Pool2dOptions::square(3, 2, 1)) == 4);
  CHECK(size(7, Pool2dOptions::square(3, 1, 0, 3)) == 1);
  CHECK(size(8, Pool2dOptions::square(3, 2, 0, 1, false)) == 3);
  CHECK(size(8, Pool2dOptions::square(3, 2, 0, 1, true)) == 4);
  CHECK(size(1, Pool2dOptions::square(1, 5, 0, 1, true)) == 1);
}
