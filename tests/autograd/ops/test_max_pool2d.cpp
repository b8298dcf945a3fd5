#include "autograd/ops/max_pool2d.h"

#include <doctest/doctest.h>

#include <numeric>
#include <stdexcept>
#include <utility>

#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_max_pool2d() {
  const auto pool = [](const Pool2dOptions& options) {
    return [options](const std::vector<Variable>& in) { return max_pool2d(in[0], options); };
  };
  const Pool2dOptions rectangle = {.kernel_h = 3,
                                   .kernel_w = 2,
                                   .stride_h = 2,
                                   .stride_w = 1,
                                   .padding_h = 1,
                                   .padding_w = 1,
                                   .dilation_h = 1,
                                   .dilation_w = 2,
                                   .ceil_mode = true};
  return {
      {.name = "one pixel", .inputs = {distinct({1, 1, 1, 1}, 1)}, .call = pool({})},
      {.name = "partial windows only",
       .inputs = {distinct({2, 3, 1, 1}, 2)},
       .call = pool({.kernel_h = 2,
                     .kernel_w = 2,
                     .stride_h = 2,
                     .stride_w = 2,
                     .padding_h = 1,
                     .padding_w = 1,
                     .ceil_mode = true})},
      {.name = "lenet, even",
       .inputs = {distinct({2, 2, 8, 10}, 3)},
       .call = pool(Pool2dOptions::square(2, 2, 0, 1, true))},
      {.name = "lenet, odd, last window hangs over",
       .inputs = {distinct({2, 2, 7, 13}, 4)},
       .call = pool(Pool2dOptions::square(2, 2, 0, 1, true))},
      {.name = "lenet, odd, rest left out",
       .inputs = {distinct({1, 2, 7, 13}, 5)},
       .call = pool(Pool2dOptions::square(2, 2))},
      {.name = "lenet, narrow",
       .inputs = {distinct({2, 1, 5, 3}, 6)},
       .call = pool(Pool2dOptions::square(2, 2, 0, 1, true))},
      {.name = "overlapping, padded",
       .inputs = {distinct({1, 2, 7, 7}, 7)},
       .call = pool(Pool2dOptions::square(3, 2, 1))},
      {.name = "padded by more than half of the kernel",
       .inputs = {distinct({1, 2, 4, 5}, 12)},
       .call = pool(Pool2dOptions::square(3, 2, 2, 1, true))},
      {.name = "dilated rectangle", .inputs = {distinct({1, 2, 7, 5}, 8)}, .call = pool(rectangle)},
      {.name = "empty batch",
       .inputs = {distinct({0, 2, 4, 4}, 9)},
       .call = pool(Pool2dOptions::square(2, 2)),
       .expect_all_zero = true},
      {.name = "large",
       .inputs = {distinct({16, 5, 30, 30}, 10)},
       .call = pool(Pool2dOptions::square(2, 2, 0, 1, true)),
       .large = true,
       .thread_tolerance = 0.0,
       .reason = "no sum is split over threads"},
      {.name = "large, overlapping",
       .inputs = {distinct({16, 5, 29, 31}, 11)},
       .call = pool(Pool2dOptions::square(3, 2, 1, 1, true)),
       .large = true,
       .thread_tolerance = 0.0,
       .reason = "no sum is split over threads"},
  };
}

namespace {

/// The output and the gradient of the sum of weight * output, weights 1, 2, 3, …
struct Run {
  std::vector<double> y, dx;
  Run(const Tensor& x, const Pool2dOptions& options) {
    const Variable in = leaf(x);
    Variable out = max_pool2d(in, options);
    std::vector<double> seed(static_cast<std::size_t>(out.value().numel()));
    std::iota(seed.begin(), seed.end(), 1.0);
    out.backward(Tensor::from(seed, out.shape()));
    y = out.value().to_vector<double>();
    dx = in.grad().to_vector<double>();
  }
};

}  // namespace

TEST_CASE("max_pool2d: wrong use throws") {
  const auto call = [](const Shape& shape, const Pool2dOptions& options) {
    return max_pool2d(Variable(Tensor::zeros(shape)), options);
  };
  CHECK_THROWS_WITH_AS(call({4, 4}, {}), "[max_pool2d] x must have 4 axes (N, C, H, W); got (4,4)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({1, 1, 4, 4}, Pool2dOptions::square(0, 1)),
                       "[max_pool2d] kernel_size, stride and dilation must be 1 to 2147483647; got 0",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({1, 1, 4, 4}, {.kernel_w = 2, .stride_w = 0}),
                       "[max_pool2d] kernel_size, stride and dilation must be 1 to 2147483647; got 0",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({1, 1, 4, 4}, Pool2dOptions::square(2, 2, 0, -1)),
                       doctest::Contains("must be 1 to 2147483647; got -1"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({1, 1, 4, 4}, Pool2dOptions::square(3, 2, 3)),
                       "[max_pool2d] padding must be less than the kernel (3,3); got (3,3,3,3)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({1, 1, 4, 4}, Pool2dOptions::square(3, 2, -1)),
                       doctest::Contains("padding must be 0 to 2147483647; got -1"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({1, 1, 4, 2}, Pool2dOptions::square(3, 1)),
                       "[max_pool2d] the kernel is larger than the padded input (1,4,2)",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(call({1, 1, 0, 2}, {}), doctest::Contains("images must have pixels; got (1,0,2)"),
                       std::invalid_argument);
}

TEST_CASE("max_pool2d: closed form") {
  const Tensor x = values({1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 1, 3, 3});
  SUBCASE("whole windows only") {
    const Run run(x, Pool2dOptions::square(2, 2));
    CHECK(run.y == std::vector<double>{5});
    CHECK(run.dx == std::vector<double>{0, 0, 0, 0, 1, 0, 0, 0, 0});
  }
  SUBCASE("ceil_mode") {
    const Run run(x, Pool2dOptions::square(2, 2, 0, 1, true));
    CHECK(run.y == std::vector<double>{5, 6, 8, 9});
    CHECK(run.dx == std::vector<double>{0, 0, 0, 0, 1, 2, 0, 3, 4});
  }
  SUBCASE("gradients of overlapping windows add up") {
    const Run run(x, {.kernel_h = 2, .kernel_w = 3, .padding_w = 1});
    CHECK(run.y == std::vector<double>{5, 6, 6, 8, 9, 9});
    CHECK(run.dx == std::vector<double>{0, 0, 0, 0, 1, 5, 0, 4, 11});
  }
  SUBCASE("dilation") {
    const Run run(x, {.kernel_h = 2, .kernel_w = 2, .dilation_h = 2, .dilation_w = 2});
    CHECK(run.y == std::vector<double>{9});
  }
}

TEST_CASE("max_pool2d: the output sizes of LeNet, and ceil_mode's last window") {
  const auto size = [](std::int64_t in, const Pool2dOptions& options) {
    return max_pool2d(Variable(Tensor::zeros({1, 1, in, in})), options).size(2);
  };
  const Pool2dOptions lenet = Pool2dOptions::square(2, 2, 0, 1, true);
  CHECK(size(30, lenet) == 15);
  CHECK(size(15, lenet) == 8);
  CHECK(size(17, lenet) == 9);
  CHECK(size(11, lenet) == 6);
  // The third window would start at -1 + 2 * 3 = 5, beyond the input.
  CHECK(size(5, Pool2dOptions::square(2, 3, 1, 1, true)) == 2);
  CHECK(size(6, Pool2dOptions::square(2, 3, 1, 1, true)) == 3);
}

TEST_CASE("max_pool2d: special values") {
  for (const std::int64_t width : {2, 12}) {
    CAPTURE(width);
    // 12 columns take the vector path; the window of interest is the last one.
    const auto window = [width](double a, double b, double c, double d) {
      const Tensor x = Tensor::full({1, 1, 2, width}, 0.25);
      x.slice(3, width - 2, width).copy_from(Tensor::from<double>({a, b, c, d}, {1, 1, 2, 2}));
      const Variable in = leaf(x);
      Variable out = max_pool2d(in, Pool2dOptions::square(2, 2));
      out.backward(Tensor::ones(out.shape()));
      const double y = out.value().at({0, 0, 0, width / 2 - 1});
      for (std::int64_t at = 0; at < 4; ++at) {
        if (in.grad().at({0, 0, at / 2, width - 2 + at % 2}) == 1.0) return std::pair{y, at};
      }
      return std::pair{y, std::int64_t{-1}};
    };
    CHECK(window(1, 2, 3, 4) == std::pair{4.0, std::int64_t{3}});
    CHECK(window(1, 1, 1, 1) == std::pair{1.0, std::int64_t{0}});
    CHECK(window(0, 1, 1, 0) == std::pair{1.0, std::int64_t{1}});
    CHECK(window(-kInfinity, -kInfinity, -kInfinity, -kInfinity) == std::pair{-kInfinity, std::int64_t{0}});
    CHECK(window(1, kInfinity, 0, kInfinity) == std::pair{kInfinity, std::int64_t{1}});
    for (std::int64_t at = 0; at < 4; ++at) {
      double v[4] = {1, 2, kInfinity, 3};
      v[at] = kNan;
      const auto [y, where] = window(v[0], v[1], v[2], v[3]);
      CHECK(is_nan(y));
      CHECK(where == at);
    }
    const auto [y, where] = window(1, kNan, kNan, 1);
    CHECK(is_nan(y));
    CHECK(where == 1);
  }
}

TEST_CASE("max_pool2d: a window of padding only is -inf without a gradient") {
  // Kernel 2, dilation 3: the taps of the first window are rows -2 and 1 of an input of height 1.
  const Run run(values({7}, {1, 1, 1, 1}), {.kernel_h = 2, .padding_h = 2, .dilation_h = 3});
  CHECK(run.y == std::vector<double>{-kInfinity, -kInfinity});
  CHECK(run.dx == std::vector<double>{0});
}

TEST_CASE("max_pool2d: an empty batch stays empty; nothing is kept unless a gradient is asked for") {
  CHECK(max_pool2d(Variable(Tensor::zeros({0, 3, 4, 4})), Pool2dOptions::square(2, 2)).shape() ==
        Shape{0, 3, 2, 2});
  CHECK(max_pool2d(Variable(Tensor::zeros({2, 0, 4, 4})), Pool2dOptions::square(2, 2)).shape() ==
        Shape{2, 0, 2, 2});
  const Tensor x[] = {Tensor::zeros({1, 1, 4, 4})};
  Saved saved;
  saved.needs_grad = {false};
  CHECK(ops::MaxPool2d::forward(Pool2dOptions::square(2, 2), x, saved).shape() == Shape{1, 1, 2, 2});
  CHECK(saved.tensors.empty());
  saved.needs_grad = {true};
  ops::MaxPool2d::forward(Pool2dOptions::square(2, 2), x, saved);
  CHECK(saved.tensors.front().dtype() == DType::i32);
}

}  // namespace cbnet::testing
