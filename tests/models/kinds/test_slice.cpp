#include "models/kinds/slice.h"

#include <limits>

#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;

std::vector<LayerSample> cbnet::testing::slice_samples() {
  return {{kinds::Slice{.axis = 0, .start = 1, .size = 2}, {{4, 3}}},
          {kinds::Slice{.axis = 2, .start = 0, .size = 3, .step = 2}, {{2, 2, 6}}},
          {kinds::Slice{.axis = 1, .start = 4, .size = 3, .step = -2}, {{2, 5, 3}}}};
}

TEST_CASE("slice: every element is one of the input") {
  const std::vector<Shape> in = {{4, 5}};
  CHECK(kinds::Slice{.axis = 1, .start = 4, .size = 5, .step = -1}.infer(in) == Shape{4, 5});
  CHECK_THROWS_SAYING((kinds::Slice{.axis = 2}.infer(in)), std::invalid_argument,
                      "[slice] along axis 2 of (4,5)");
  for (const kinds::Slice& wrong : {kinds::Slice{.axis = 1, .start = 3, .size = 3},
                                    {.axis = 1, .start = 5},
                                    {.axis = 1, .size = 0},
                                    {.axis = 1, .size = 2, .step = 0},
                                    {.axis = 1, .start = 1, .size = 3, .step = -1}})
    CHECK_THROWS_SAYING(wrong.infer(in), std::invalid_argument, "[slice] needs elements of 0 to 4");
  CHECK_THROWS_SAYING((kinds::Slice{.axis = 1, .start = -1}.infer(in)), std::invalid_argument,
                      "[slice] sizes must be 0 to 1048576; got -1");
  CHECK_THROWS_SAYING((kinds::Slice{.axis = 1, .step = std::numeric_limits<std::int64_t>::min()}.infer(in)),
                      std::invalid_argument, "[slice] sizes must be");
}

TEST_CASE("slice: ONNX's ends and steps, which may be outside") {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max(),
                         kLeast = std::numeric_limits<std::int64_t>::min();
  const auto of_five = [](std::int64_t start, std::int64_t end, std::int64_t step) {
    const kinds::Slice slice = kinds::OnnxSlice{0, start, end, step}.of(5);
    std::vector<std::int64_t> out;
    for (std::int64_t i = 0; i < slice.size; ++i) out.push_back(slice.start + i * slice.step);
    return out;
  };
  using Positions = std::vector<std::int64_t>;
  CHECK(of_five(0, kMost, 1) == Positions{0, 1, 2, 3, 4});
  CHECK(of_five(-3, -1, 1) == Positions{2, 3});
  CHECK(of_five(1, 5, 2) == Positions{1, 3});
  CHECK(of_five(-99, 2, 1) == Positions{0, 1});
  CHECK(of_five(3, 3, 1).empty());
  CHECK(of_five(4, 2, 1).empty());
  CHECK(of_five(-1, kLeast, -1) == Positions{4, 3, 2, 1, 0});
  CHECK(of_five(99, 0, -2) == Positions{4, 2});
  CHECK(of_five(1, kMost, kMost) == Positions{1});
  CHECK(of_five(1, kLeast, kLeast) == Positions{1});
  CHECK(kinds::OnnxSlice{0, 0, kMost, 1}.of(0).size == 0);
  CHECK(kinds::OnnxSlice{0, -1, kLeast, -1}.of(0).size == 0);
}
