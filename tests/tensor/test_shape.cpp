#include "tensor/shape.h"

#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("numel throws on negative sizes and on overflow") {
  CHECK_THROWS_SAYING(numel({2, -1}), std::invalid_argument, "must not be negative; got (2,-1)");
  CHECK_THROWS_SAYING(numel({INT64_MAX, 2}), std::invalid_argument, "too many elements");
  // Strides would overflow although there is nothing to hold.
  CHECK_THROWS_SAYING(numel({0, std::int64_t{1} << 40, std::int64_t{1} << 40}), std::invalid_argument,
                      "too many elements");
}

TEST_CASE("broadcast throws when sizes differ and neither is 1") {
  CHECK_THROWS_SAYING(broadcast_shapes({2, 3}, {2, 4}, "add"), std::invalid_argument,
                      "[add] shapes must broadcast; got (2,3) and (2,4)");
  CHECK_THROWS_SAYING(normalize_axis(2, 2, "sum"), std::invalid_argument,
                      "[sum] axis must be in [-2, 1]; got 2");
}

TEST_CASE("counts, strides and text") {
  CHECK(numel({}) == 1);
  CHECK(numel({3, 0, 5}) == 0);
  CHECK(to_string(Shape{8, 3, 28}) == "(8,3,28)");
  CHECK(to_string(Shape{}) == "()");
  CHECK(contiguous_strides({2, 3, 4}) == std::vector<std::int64_t>{12, 4, 1});
  CHECK(normalize_axis(-1, 3, "x") == 2);
}

TEST_CASE("broadcast aligns from the right and stretches ones") {
  CHECK(broadcast_shapes({4, 1, 3}, {2, 1}, "x") == Shape{4, 2, 3});
  CHECK(broadcast_shapes({}, {5}, "x") == Shape{5});
  CHECK(broadcast_shapes({0, 3}, {1, 3}, "x") == Shape{0, 3});
}
