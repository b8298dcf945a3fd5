#include "autograd/ops/conv2d.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>

#include "tests/autograd/ops/samples.h"
#include "tests/support/throws.h"

namespace cbnet::testing {
namespace {

struct Setting {
  std::string name;
  Shape x, w;
  bool bias;
  Conv2dOptions options = {};
  bool large = false;
};

/// Batches of four f64 images, half of the widest vector's lanes, and more go with an image in each lane.
std::vector<Setting> settings() {
  Conv2dOptions rectangle;
  rectangle.stride_h = 2;
  rectangle.padding_w = 2;
  rectangle.dilation_w = 2;
  return {
      {"one pixel", {1, 1, 1, 1}, {1, 1, 1, 1}, true},
      {"direct: 5x5, padding 3, as LeNet's", {2, 2, 7, 7}, {3, 2, 5, 5}, true, Conv2dOptions::square(1, 3)},
      {"direct: not square, no bias", {1, 3, 7, 13}, {2, 3, 3, 2}, false},
      {"im2col: stride, padding and dilation differ by axis", {2, 2, 7, 9}, {3, 2, 3, 2}, true, rectangle},
      {"im2col: groups", {2, 4, 5, 5}, {6, 2, 3, 3}, true, Conv2dOptions::square(1, 1, 1, 2)},
      {"im2col: depthwise", {1, 3, 6, 6}, {3, 1, 3, 3}, false, Conv2dOptions::square(2, 1, 1, 3)},
      {"im2col: padding as wide as the kernel",
       {1, 1, 3, 3},
       {2, 1, 1, 1},
       true,
       Conv2dOptions::square(1, 1)},
      {"lanes: stride, padding and dilation differ by axis", {5, 2, 7, 9}, {3, 2, 3, 2}, true, rectangle},
      {"lanes: stride 3, wider than the kernel",
       {9, 3, 8, 7},
       {7, 3, 2, 2},
       true,
       Conv2dOptions::square(3, 1)},
      {"lanes: groups", {5, 4, 5, 5}, {6, 2, 3, 3}, true, Conv2dOptions::square(1, 1, 1, 2)},
      {"lanes: depthwise", {5, 3, 6, 6}, {3, 1, 3, 3}, false, Conv2dOptions::square(2, 1, 1, 3)},
      {"lanes: depthwise with a multiplier",
       {4, 3, 5, 4},
       {6, 1, 3, 3},
       true,
       Conv2dOptions::square(1, 1, 1, 3)},
      {"lanes: one pixel of every other", {6, 7, 5, 5}, {9, 7, 1, 1}, false, Conv2dOptions::square(2, 0)},
      {"one pixel of each: planes of a vector and more", {3, 7, 5, 7}, {9, 7, 1, 1}, true},
      {"one pixel of each: a batch", {9, 3, 3, 3}, {5, 3, 1, 1}, false},
      {"lanes: padding as wide as the kernel", {4, 1, 3, 3}, {2, 1, 1, 1}, true, Conv2dOptions::square(1, 1)},
      {"a batch over several threads",
       {13, 5, 16, 17},
       {10, 5, 5, 5},
       true,
       Conv2dOptions::square(1, 2),
       true},
      {"a strided batch over several threads",
       {37, 4, 16, 17},
       {8, 4, 3, 3},
       true,
       Conv2dOptions::square(2, 1),
       true},
  };
}

}  // namespace

std::vector<OpSample> samples_conv2d() {
  std::vector<OpSample> out = {{.name = "no images",
                                .inputs = {random({0, 2, 5, 5}, 1), random({3, 2, 3, 3}, 2), random({3}, 3)},
                                .call = [](const auto& in) { return conv2d(in[0], in[1], in[2]); },
                                .expect_all_zero = true}};
  std::uint64_t seed = 4;
  for (const Setting& s : settings()) {
    OpSample sample;
    sample.name = s.name;
    sample.inputs = {random(s.x, seed++), random(s.w, seed++)};
    if (s.bias) sample.inputs.push_back(random({s.w[0]}, seed++));
    sample.call = [options = s.options](const std::vector<Variable>& in) {
      return conv2d(in[0], in[1], in.size() == 3 ? in[2] : Variable(), options);
    };
    sample.large = s.large;
    if (s.large) {
      sample.f32_tolerance = 1e-4;
      sample.reason = "sums of 36 to 125 products, and over a batch in the gradients";
    }
    out.push_back(sample);
  }
  return out;
}

}  // namespace cbnet::testing

using namespace cbnet;
using namespace cbnet::testing;

namespace {

double padded_at(const Tensor& x, std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t col) {
  if (y < 0 || y >= x.size(2) || col < 0 || col >= x.size(3)) return 0.0;
  return x.at({n, c, y, col});
}

/// The definition, written as loops.
double reference(const Tensor& x, const Tensor& w, const Conv2dOptions& o, std::int64_t n, std::int64_t out,
                 std::int64_t oy, std::int64_t ox) {
  const std::int64_t per_group = w.size(0) / o.groups;
  double sum = 0.0;
  for (std::int64_t c = 0; c < w.size(1); ++c) {
    for (std::int64_t ky = 0; ky < w.size(2); ++ky) {
      for (std::int64_t kx = 0; kx < w.size(3); ++kx) {
        sum += w.at({out, c, ky, kx}) * padded_at(x, n, out / per_group * w.size(1) + c,
                                                  oy * o.stride_h + ky * o.dilation_h - o.padding_h,
                                                  ox * o.stride_w + kx * o.dilation_w - o.padding_w);
      }
    }
  }
  return sum;
}

Variable constant(const Shape& shape, DType dtype = DType::f32) {
  return Variable(Tensor::zeros(shape, dtype));
}

}  // namespace

TEST_CASE("wrong shapes and options throw, with the shapes") {
  CHECK_THROWS_SAYING(
      conv2d(constant({8, 3, 28, 28}), constant({5, 1, 5, 5})), std::invalid_argument,
      "[conv2d] input channels must equal weight channels times groups (1); got input (8,3,28,28), "
      "weight (5,1,5,5)");
  CHECK_THROWS_SAYING(conv2d(constant({3, 4, 4}), constant({1, 3, 1, 1})), std::invalid_argument,
                      "must have 4 axes");
  CHECK_THROWS_SAYING(conv2d(constant({1, 1, 4, 4}), constant({1, 1, 5, 5})), std::invalid_argument,
                      "larger than the padded input");
  CHECK_THROWS_SAYING(conv2d(constant({1, 1, 4, 4}), constant({2, 1, 1, 1}), constant({3})),
                      std::invalid_argument, "bias must be (2); got (3)");
  CHECK_THROWS_SAYING(conv2d(constant({1, 1, 4, 4}), constant({1, 1, 1, 1}), {}, Conv2dOptions::square(0, 0)),
                      std::invalid_argument, "must be 1 to 2147483647; got 0");
  CHECK_THROWS_SAYING(
      conv2d(constant({1, 4, 4, 4}), constant({3, 2, 1, 1}), {}, Conv2dOptions::square(1, 0, 1, 2)),
      std::invalid_argument, "must divide into 2 groups");
  CHECK_THROWS_SAYING(conv2d(constant({1, 1, 0, 4}), constant({1, 1, 1, 1})), std::invalid_argument,
                      "images must have pixels");
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  for (const Conv2dOptions& options : {Conv2dOptions::square(kHuge, 0), Conv2dOptions::square(1, kHuge),
                                       Conv2dOptions::square(1, 0, kHuge), Conv2dOptions::square(1, -1)}) {
    CHECK_THROWS_SAYING(conv2d(constant({1, 1, 4, 4}), constant({1, 1, 2, 2}), {}, options),
                        std::invalid_argument, "to 2147483647; got ");
  }
  CHECK_THROWS_SAYING(conv2d(constant({1, 1, 4, 4}), constant({1, 1, 1, 1}, DType::f64)),
                      std::invalid_argument,
                      "must all be f32 or all f64; got f32 (1,1,4,4) and f64 (1,1,1,1)");
}

TEST_CASE("a 2x2 kernel by hand; it is cross-correlation, the kernel is not flipped") {
  const Variable x(values({1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 1, 3, 3}));
  const Variable w(values({1, 0, 0, -1}, {1, 1, 2, 2}));
  const Variable b(values({10}, {1}));
  CHECK(conv2d(x, w, b).value().to_vector<double>() == std::vector<double>{6, 6, 6, 6});
}

TEST_CASE("every sample equals the definition") {
  std::vector<OpSample> samples = samples_conv2d();
  samples.erase(samples.begin());  // no images
  const std::vector<Setting> all = settings();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const OpSample& sample = samples.at(i);
    const Conv2dOptions& o = all[i].options;
    std::vector<Variable> inputs;
    for (const Tensor& input : sample.inputs) inputs.emplace_back(input);
    const Tensor y = sample.call(inputs).value();
    double worst = 0.0;
    for (std::int64_t n = 0; n < y.size(0); ++n) {
      for (std::int64_t out = 0; out < y.size(1); ++out) {
        const double bias = sample.inputs.size() == 3 ? sample.inputs[2].at({out}) : 0.0;
        for (std::int64_t oy = 0; oy < y.size(2); ++oy) {
          for (std::int64_t ox = 0; ox < y.size(3); ++ox) {
            const double wanted = bias + reference(sample.inputs[0], sample.inputs[1], o, n, out, oy, ox);
            worst = std::max(worst, std::abs(wanted - y.at({n, out, oy, ox})));
          }
        }
      }
    }
    CHECK_MESSAGE(worst < 1e-12, sample.name << ": " << worst);
  }
}

TEST_CASE("no images: an empty result and zero gradients") {
  Variable w = leaf(random({3, 2, 3, 3}, 1));
  Variable y = conv2d(Variable(random({0, 2, 5, 5}, 2)), w);
  CHECK(y.shape() == Shape{0, 3, 3, 3});
  y.backward(Tensor::zeros({0, 3, 3, 3}, DType::f64));
  CHECK(w.grad().to_vector<double>() == std::vector<double>(54, 0.0));
}
