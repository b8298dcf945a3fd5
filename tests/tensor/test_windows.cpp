#include "tensor/windows.h"

#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("window: what does not fit throws, by name") {
  const auto shape = [](const Shape& planes, const Window2d& window) {
    return window_shape("op", planes, 1, window);
  };
  CHECK_THROWS_SAYING(shape({4, 4}, {}), std::invalid_argument, "[op] needs planes (C,H,W); got (4,4)");
  CHECK_THROWS_SAYING(shape({1, 4, 4}, {5}), std::invalid_argument,
                      "[op] the kernel is larger than the padded input (1,4,4)");
  CHECK_THROWS_SAYING(shape({1, 4, 4}, {1, {1, 0}}), std::invalid_argument, "must be 1 to 2147483647; got 0");
  CHECK_THROWS_SAYING(shape({1, 4, 4}, {1, 1, -1}), std::invalid_argument, "padding must be 0 to");
  CHECK_THROWS_SAYING(shape({1, 4, 4}, {1, 1, 0, std::int64_t{1} << 62}), std::invalid_argument, "dilation");
  CHECK_THROWS_SAYING(shape({1, 4, std::int64_t{1} << 40}, {}), std::invalid_argument, "at most 2147483647");
}

TEST_CASE("window: a number per direction and a padding per side") {
  CHECK(window_shape("op", {3, 7, 9}, 5, {{3, 2}, {2, 1}}) == Shape{5, 3, 8});
  CHECK(window_shape("op", {3, 7, 9}, 5, {3, 2, {0, 0, 1, 1}}) == Shape{5, 3, 4});
  CHECK(window_shape("op", {3, 7, 9}, 5, {3, 1, Pair(1, 0), {1, 2}}) == Shape{5, 7, 5});
}

TEST_CASE("window: ceil_mode keeps a last window that starts inside the input or before it") {
  const auto rows = [](std::int64_t size, const Window2d& window) {
    return window_shape("op", {1, size, size}, 1, window)[1];
  };
  CHECK(rows(15, {2, 2, 0, 1, true}) == 8);
  CHECK(rows(15, {2, 2, 0, 1, false}) == 7);
  CHECK(rows(5, {2, 4, 0, 1, true}) == 2);
  CHECK(rows(4, {1, 4, 0, 1, true}) == 1);  // the next window would start at 4
  CHECK(rows(4, {2, 3, 1, 1, true}) == 2);  // the third would start in the padding behind
}

TEST_CASE("window: pools pad less than what they look at") {
  CHECK(pool_shape("op", {2, 6, 6}, {3, 2, 1}) == Shape{2, 3, 3});
  CHECK(pool_shape("op", {2, 6, 6}, {3, 2, 2}) == Shape{2, 4, 4});
  CHECK_THROWS_SAYING(pool_shape("op", {2, 6, 6}, {2, 2, 2}), std::invalid_argument,
                      "[op] padding must be less than the kernel (2,2); got (2,2,2,2)");
  CHECK_THROWS_SAYING(pool_shape("op", {2, 6, 6}, {2, 2, {0, 0, 2, 0}}), std::invalid_argument,
                      "[op] padding must be less than the kernel (2,2)");
  CHECK_THROWS_SAYING(pool_shape("op", {2, 6, 6}, {2, 2, {0, 0, 1, 0}, 1, true}), std::invalid_argument,
                      "[op] ceil_mode needs the same padding on opposite sides");
}

TEST_CASE("pool2d: planes whose pixels 31 bits do not count are refused, by the caller's name") {
  CHECK_THROWS_SAYING(pool2d_dims("caller", 1, 1 << 16, 1 << 16, {}), std::invalid_argument,
                      "[caller] H * W must fit 31 bits");
}

TEST_CASE("pool2d: output sizes") {
  const auto size = [](std::int64_t in, const Pool2dOptions& options) {
    return pool2d_dims("caller", 1, in, in, options).oh;
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
