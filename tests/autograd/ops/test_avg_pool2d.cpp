#include "autograd/ops/avg_pool2d.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_avg_pool2d() {
  const auto pool = [](const Pool2dOptions& options, bool count_include_pad = true) {
    return [=](const std::vector<Variable>& in) { return avg_pool2d(in[0], options, count_include_pad); };
  };
  const Pool2dOptions overlapping = Pool2dOptions::square(3, 2, 1, 1, true);
  const Pool2dOptions rectangle = {.kernel_h = 3, .kernel_w = 2, .stride_h = 2, .padding_w = 1};
  return {
      {.name = "one pixel", .inputs = {random({1, 1, 1, 1}, 1)}, .call = pool({})},
      {.name = "halving, odd",
       .inputs = {random({2, 3, 7, 13}, 2)},
       .call = pool(Pool2dOptions::square(2, 2, 0, 1, true))},
      {.name = "halving, rest left out",
       .inputs = {random({2, 1, 7, 5}, 3)},
       .call = pool(Pool2dOptions::square(2, 2))},
      {.name = "partial windows over the padding",
       .inputs = {random({1, 2, 6, 7}, 4)},
       .call = pool(overlapping)},
      {.name = "padding not counted", .inputs = {random({1, 2, 6, 7}, 5)}, .call = pool(overlapping, false)},
      {.name = "padded by more than half of the kernel",
       .inputs = {random({1, 2, 4, 5}, 10)},
       .call = pool(Pool2dOptions::square(3, 2, 2, 1, true), false)},
      {.name = "rectangle", .inputs = {random({2, 1, 5, 4}, 6)}, .call = pool(rectangle, false)},
      {.name = "global",
       .inputs = {random({2, 3, 7, 5}, 7)},
       .call = [](const std::vector<Variable>& in) { return global_avg_pool2d(in[0]); }},
      {.name = "empty batch",
       .inputs = {random({0, 2, 4, 4}, 8)},
       .call = pool(Pool2dOptions::square(2, 2)),
       .expect_all_zero = true},
      {.name = "large",
       .inputs = {random({16, 5, 29, 31}, 9)},
       .call = pool(overlapping),
       .large = true,
       .thread_tolerance = 0.0,
       .reason = "no sum is split over threads"},
  };
}

namespace {

/// The output and the gradient of its sum.
struct Run {
  std::vector<double> y, dx;
  Run(const Tensor& x, const Pool2dOptions& options, bool count_include_pad = true) {
    const Variable in = leaf(x);
    Variable out = avg_pool2d(in, options, count_include_pad);
    out.backward(Tensor::ones(out.shape(), DType::f64));
    y = out.value().to_vector<double>();
    dx = in.grad().to_vector<double>();
  }
};

}  // namespace

TEST_CASE("avg_pool2d: wrong use throws") {
  const auto call = [](const Shape& shape, const Pool2dOptions& options) {
    return avg_pool2d(Variable(Tensor::zeros(shape)), options);
  };
  CHECK_THROWS_WITH_AS(call({4, 4, 4}, {}), "[avg_pool2d] x must have 4 axes (N, C, H, W); got (4,4,4)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({1, 1, 4, 4}, Pool2dOptions::square(2, 2, 0, 2)),
                       "[avg_pool2d] dilation must be 1; got (2,2)", std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({1, 1, 4, 4}, Pool2dOptions::square(2, 2, 2)),
                       doctest::Contains("[avg_pool2d] padding must be less than the kernel"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({1, 1, 4, 4}, Pool2dOptions::square(5, 1)),
                       doctest::Contains("[avg_pool2d] the kernel is larger than the padded input (1,4"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(global_avg_pool2d(Variable(Tensor::zeros({2, 3}))),
                       "[global_avg_pool2d] x must have 4 axes (N, C, H, W); got (2,3)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(global_avg_pool2d(Variable(Tensor::zeros({2, 3, 0, 4}))),
                       "[global_avg_pool2d] there is no mean of nothing; got (2,3,0,4)",
                       std::invalid_argument);
}

TEST_CASE("avg_pool2d: closed form") {
  const Tensor x = values({1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 1, 3, 3});
  SUBCASE("whole windows only") {
    const Run run(x, Pool2dOptions::square(2, 2));
    CHECK(run.y == std::vector<double>{3});
    CHECK(run.dx == std::vector<double>{0.25, 0.25, 0, 0.25, 0.25, 0, 0, 0, 0});
  }
  SUBCASE("ceil_mode: what hangs over the edge does not count") {
    const Run run(x, Pool2dOptions::square(2, 2, 0, 1, true));
    CHECK(run.y == std::vector<double>{3, 4.5, 7.5, 9});
    CHECK(run.dx == std::vector<double>{0.25, 0.25, 0.5, 0.25, 0.25, 0.5, 0.5, 0.5, 1});
  }
}

TEST_CASE("avg_pool2d: what a window at the edge is divided by") {
  // Rows -1..1, 1..3 and 3..5 of a column of 4 with padding 1: the last row hangs over the padding.
  const Tensor x = values({1, 2, 3, 4}, {1, 1, 4, 1});
  const Pool2dOptions options = {.kernel_h = 3, .stride_h = 2, .padding_h = 1, .ceil_mode = true};
  const Run counted(x, options, true);
  CHECK(counted.y == std::vector<double>{1, 3, 2});
  CHECK(counted.dx == std::vector<double>{1.0 / 3, 2.0 / 3, 1.0 / 3, 1.0 / 3 + 0.5});
  const Run left_out(x, options, false);
  CHECK(left_out.y == std::vector<double>{1.5, 3, 4});
}

TEST_CASE("avg_pool2d: the mean of every plane") {
  const Variable x = leaf(values({1, 2, 3, 6, -1, -1, -1, -5}, {1, 2, 2, 2}));
  Variable y = global_avg_pool2d(x);
  CHECK(y.shape() == Shape{1, 2, 1, 1});
  CHECK(y.value().to_vector<double>() == std::vector<double>{3, -2});
  y.backward(values({4, 8}, {1, 2, 1, 1}));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{1, 1, 1, 1, 2, 2, 2, 2});
}

TEST_CASE("avg_pool2d: special values, and an empty batch") {
  const Tensor x = values({kNan, 1, kInfinity, 1, 1, 1, kInfinity, -kInfinity}, {1, 1, 2, 4});
  const std::vector<double> y =
      avg_pool2d(Variable(x), {.kernel_w = 2, .stride_w = 2}).value().to_vector<double>();
  CHECK(is_nan(y[0]));
  CHECK(y[1] == kInfinity);
  CHECK(y[2] == 1.0);
  CHECK(is_nan(y[3]));
  CHECK(avg_pool2d(Variable(Tensor::zeros({0, 3, 4, 4})), Pool2dOptions::square(2, 2)).shape() ==
        Shape{0, 3, 2, 2});
  CHECK(global_avg_pool2d(Variable(Tensor::zeros({0, 3, 4, 4}))).shape() == Shape{0, 3, 1, 1});
}

}  // namespace cbnet::testing
