#include "autograd/ops/sum.h"

#include <doctest/doctest.h>

#include "tensor/parallel.h"
#include "tests/autograd/ops/samples.h"

namespace cbnet::testing {

std::vector<OpSample> samples_sum() {
  const auto over = [](const std::vector<std::int64_t>& axes, bool keepdim = false) {
    return [axes, keepdim](const std::vector<Variable>& in) { return sum(in[0], axes, keepdim); };
  };
  const auto all = [](const std::vector<Variable>& in) { return sum(in[0]); };
  return {
      {.name = "scalar", .inputs = {random({}, 1)}, .call = all},
      {.name = "one", .inputs = {random({1, 1}, 2)}, .call = all},
      {.name = "everything", .inputs = {random({7, 13}, 3)}, .call = all},
      {.name = "rows", .inputs = {random({7, 13}, 4)}, .call = over({1})},
      {.name = "columns", .inputs = {random({7, 13}, 5)}, .call = over({0})},
      {.name = "keepdim", .inputs = {random({2, 3, 5}, 6)}, .call = over({-2}, true)},
      {.name = "channels", .inputs = {random({3, 5, 2, 7}, 7)}, .call = over({3, 0, 2})},
      {.name = "no axes", .inputs = {random({3, 2}, 8)}, .call = over({})},
      {.name = "nothing", .inputs = {random({3, 0}, 9)}, .call = over({1}), .expect_all_zero = true},
      {.name = "large, all", .inputs = {random({357, 391}, 10)}, .call = all, .large = true},
      {.name = "large, rows", .inputs = {random({7, 20011}, 11)}, .call = over({1}), .large = true},
      {.name = "large, columns", .inputs = {random({391, 357}, 12)}, .call = over({0}), .large = true},
      {.name = "large, tall", .inputs = {random({70001, 3}, 13)}, .call = over({0}), .large = true},
      {.name = "large, channels",
       .inputs = {random({31, 5, 29, 31}, 14)},
       .call = over({0, 2, 3}),
       .large = true},
  };
}

TEST_CASE("sum: wrong use throws") {
  const Variable x(random({2, 3}, 1));
  CHECK_THROWS_WITH_AS(sum(x, {2}), "[sum] axis must be in [-2, 1]; got 2", std::invalid_argument);
  CHECK_THROWS_WITH_AS(sum(x, {1, -1}), "[sum] axes must differ; got (1,-1) for (2,3)",
                       std::invalid_argument);
  CHECK_THROWS_AS(sum(Variable(random({}, 1)), {0}), std::invalid_argument);
}

TEST_CASE("sum: values and gradients by hand") {
  const Variable x = leaf(values({1, 2, 3, 4, 5, 6}, {2, 3}));
  CHECK(sum(x).shape().empty());
  CHECK(sum(x).value().item() == 21);
  CHECK(sum(x, {0}).value().to_vector<double>() == std::vector<double>{5, 7, 9});
  CHECK(sum(x, {-1}).value().to_vector<double>() == std::vector<double>{6, 15});
  CHECK(sum(x, {0}, true).shape() == Shape{1, 3});
  CHECK(sum(x, {0, 1}, true).shape() == Shape{1, 1});
  CHECK(sum(x, {}).value().to_vector<double>() == std::vector<double>{1, 2, 3, 4, 5, 6});
  Variable y = sum(x, {1});
  y.backward(values({10, 20}, {2}));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{10, 10, 10, 20, 20, 20});
  CHECK(x.grad().is_contiguous());
}

TEST_CASE("sum: every subset of axes, against the plain loop") {
  const Tensor x = random({3, 4, 1, 5}, 1);
  for (int subset = 0; subset < 16; ++subset) {
    CAPTURE(subset);
    std::vector<std::int64_t> axes;
    Shape kept = x.shape();
    for (std::int64_t axis = 0; axis < 4; ++axis) {
      if ((subset >> axis & 1) == 0) continue;
      axes.push_back(axis);
      kept[static_cast<std::size_t>(axis)] = 1;
    }
    std::vector<double> expected(static_cast<std::size_t>(numel(kept)), 0.0);
    const Tensor target = Tensor::zeros(kept).expand(x.shape());
    const std::vector<double> elements = x.to_vector<double>();
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      std::int64_t offset = 0;
      std::int64_t rest = i;
      for (std::int64_t axis = 4; axis-- > 0; rest /= x.size(axis)) {
        offset += rest % x.size(axis) * target.strides()[static_cast<std::size_t>(axis)];
      }
      expected[static_cast<std::size_t>(offset)] += elements[static_cast<std::size_t>(i)];
    }
    const Tensor y = sum(Variable(x), axes, true).value();
    REQUIRE(y.shape() == kept);
    const std::vector<double> sums = y.to_vector<double>();
    for (std::size_t i = 0; i < sums.size(); ++i)
      CHECK(sums[i] == doctest::Approx(expected[i]).epsilon(1e-14));
  }
}

TEST_CASE("sum: long f32 sums stay exact to the last bit or so, whatever the threads") {
  // One thousand additions of 0.1f to 1e6 would each lose most of its digits in f32.
  const std::int64_t n = 1'000'003;
  const Variable x(Tensor::full({n}, 0.1));
  const double expected = static_cast<double>(n) * static_cast<double>(0.1F);
  const int threads_before = num_threads();
  for (const int threads : {1, 2, 3, 7}) {
    set_num_threads(threads);
    CHECK(sum(x).value().item() == doctest::Approx(expected).epsilon(1e-7));
    CHECK(sum(x).value().item() == sum(Variable(x.value().view({n, 1})), {0}).value().item());
  }
  set_num_threads(threads_before);
}

TEST_CASE("sum: special values") {
  CHECK(is_nan(sum(Variable(values({1, kNan}, {2}))).value().item()));
  CHECK(sum(Variable(values({1, kInfinity}, {2}))).value().item() == kInfinity);
  CHECK(is_nan(sum(Variable(values({-kInfinity, kInfinity}, {2}))).value().item()));
  CHECK(sum(Variable(random({0}, 1))).value().item() == 0);
  CHECK(sum(Variable(random({2, 0}, 1)), {1}).value().to_vector<double>() == std::vector<double>{0, 0});
  CHECK(sum(Variable(random({2, 0}, 1)), {0}).shape() == Shape{0});
}

}  // namespace cbnet::testing
