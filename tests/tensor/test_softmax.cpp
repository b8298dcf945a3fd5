#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tensor/backend.h"
#include "tensor/parallel.h"
#include "tensor/rng.h"

namespace {

using cbnet::SoftmaxKind;

template <class T>
void softmax(SoftmaxKind kind, const T* x, T* y, std::int64_t outer, std::int64_t channels,
             std::int64_t inner, T* entropy = nullptr) {
  cbnet::cpu::backend().softmax({.dtype = cbnet::DTypeOf<T>::value,
                                 .kind = kind,
                                 .outer = outer,
                                 .channels = channels,
                                 .inner = inner,
                                 .x = x,
                                 .y = y,
                                 .entropy = entropy});
}

void softmax_backward(SoftmaxKind kind, const float* y, const float* dy, float* dx, std::int64_t outer,
                      std::int64_t channels, std::int64_t inner) {
  cbnet::cpu::backend().softmax_backward({.dtype = cbnet::DType::f32,
                                          .kind = kind,
                                          .outer = outer,
                                          .channels = channels,
                                          .inner = inner,
                                          .y = y,
                                          .dy = dy,
                                          .dx = dx});
}

using std::int64_t;

template <class T>
std::vector<T> random(int64_t count, double scale, std::uint64_t seed) {
  cbnet::Rng rng(seed);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values) value = static_cast<T>(scale * (2.0 * rng.uniform() - 1.0));
  return values;
}

/// One line (o, i) of an (outer, channels, inner) array, in long double.
struct Line {
  std::vector<long double> p, log_p;

  template <class T>
  Line(const std::vector<T>& x, int64_t first, int64_t channels, int64_t inner) {
    long double most = -std::numeric_limits<long double>::infinity();
    for (int64_t c = 0; c < channels; ++c) {
      log_p.push_back(static_cast<long double>(x[static_cast<std::size_t>(first + c * inner)]));
      most = std::max(most, log_p.back());
    }
    long double sum = 0;
    for (const long double v : log_p) sum += std::exp(v - most);
    for (long double& v : log_p) v -= most + std::log(sum);
    for (const long double v : log_p) p.push_back(std::exp(v));
  }
};

/// Errors relative to max(1, |value|) of log_softmax, relative to the value of softmax.
template <class T>
void check(int64_t outer, int64_t channels, int64_t inner, double scale, double tolerance) {
  CAPTURE(outer);
  CAPTURE(channels);
  CAPTURE(inner);
  const std::vector<T> x = random<T>(outer * channels * inner, scale, 1);
  std::vector<T> y(x.size()), log_y(x.size());
  softmax<T>(SoftmaxKind::softmax, x.data(), y.data(), outer, channels, inner);
  softmax<T>(SoftmaxKind::log_softmax, x.data(), log_y.data(), outer, channels, inner);
  double worst = 0.0, worst_log = 0.0;
  for (int64_t line = 0; line < outer * inner; ++line) {
    const int64_t first = line / inner * channels * inner + line % inner;
    const Line want(x, first, channels, inner);
    for (int64_t c = 0; c < channels; ++c) {
      const auto at = static_cast<std::size_t>(first + c * inner);
      const auto i = static_cast<std::size_t>(c);
      const auto p = static_cast<double>(want.p[i]), log_p = static_cast<double>(want.log_p[i]);
      if (p > 1e-37) worst = std::max(worst, std::abs(static_cast<double>(y[at]) - p) / p);
      if (p <= 1e-37) worst = std::max(worst, std::abs(static_cast<double>(y[at]) - p));
      worst_log = std::max(worst_log,
                           std::abs(static_cast<double>(log_y[at]) - log_p) / std::max(1.0, std::abs(log_p)));
    }
  }
  CHECK(worst <= tolerance);
  CHECK(worst_log <= tolerance);
}

}  // namespace

TEST_CASE("softmax kernels: against long double, every length around the lanes' edges") {
  // f32: 2 ulp of exp, 1 of the shifted argument for |x| up to 4, and the sum's and the quotient's roundings.
  for (int64_t channels = 1; channels <= 50; ++channels) {
    check<float>(5, channels, 1, 4.0, 1e-6);
    check<double>(5, channels, 1, 4.0, 1e-14);
  }
  check<float>(4, 784, 1, 4.0, 1e-6);
  // The rounding of x - max grows with x: 40 * 6e-8 in the exponent.
  check<float>(9, 784, 1, 20.0, 5e-6);
  check<float>(9, 10, 1, 100.0, 3e-5);
}

TEST_CASE("softmax kernels: other axes") {
  for (const int64_t inner : {2, 7, 63, 64, 65, 130}) {
    check<float>(3, 10, inner, 4.0, 1e-6);
    check<double>(3, 13, inner, 4.0, 1e-14);
  }
  check<float>(1, 1, 5, 4.0, 1e-6);
  check<float>(0, 5, 3, 4.0, 0.0);
  check<float>(0, 5, 1, 4.0, 0.0);
}

TEST_CASE("softmax kernels: exp of f32 is within 2 ulp down to where it becomes 0") {
  double worst = 0.0;
  for (int64_t step = 0; step < 87000; ++step) {
    // x = 0 and x = -v: the quotient p1 / p0 is exp(-v), up to the roundings of two divisions.
    const float x[2] = {0.0F, static_cast<float>(step) * -1e-3F};
    float y[2];
    softmax<float>(SoftmaxKind::softmax, x, y, 1, 2, 1);
    const double want = std::exp(static_cast<double>(x[1]));
    const double ratio = static_cast<double>(y[1]) / static_cast<double>(y[0]);
    worst = std::max(worst, std::abs(ratio - want) / want);
  }
  CHECK(worst <= 3 * 1.2e-7);
  const float far[3] = {0.0F, -88.0F, -1e38F};
  float y[3];
  softmax<float>(SoftmaxKind::softmax, far, y, 1, 3, 1);
  CHECK(y[0] == 1.0F);
  CHECK(y[1] == 0.0F);
  CHECK(y[2] == 0.0F);
}

TEST_CASE("softmax kernels: entropy against long double") {
  const int64_t rows = 40, channels = 10;
  for (const double scale : {0.1, 4.0, 60.0}) {
    const std::vector<float> x = random<float>(rows * channels, scale, 2);
    std::vector<float> p(x.size()), entropy(static_cast<std::size_t>(rows));
    softmax<float>(SoftmaxKind::entropy, x.data(), p.data(), rows, channels, 1, entropy.data());
    for (int64_t row = 0; row < rows; ++row) {
      const Line want(x, row * channels, channels, 1);
      long double h = 0;
      for (std::size_t c = 0; c < want.p.size(); ++c) h -= want.p[c] * want.log_p[c];
      CHECK(static_cast<double>(entropy[static_cast<std::size_t>(row)]) ==
            doctest::Approx(static_cast<double>(h)).epsilon(1e-5));
    }
  }
}

TEST_CASE("softmax kernels: the same bits with any number of threads") {
  const int before = cbnet::num_threads();
  const int64_t outer = 40, channels = 33;
  for (const int64_t inner : {1, 70}) {
    const std::vector<float> x = random<float>(outer * channels * inner, 4.0, 3);
    const std::vector<float> dy = random<float>(outer * channels * inner, 1.0, 4);
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 3}) {
      cbnet::set_num_threads(threads);
      std::vector<float> y(x.size()), log_y(x.size()), dx(x.size()), log_dx(x.size());
      softmax<float>(SoftmaxKind::softmax, x.data(), y.data(), outer, channels, inner);
      softmax<float>(SoftmaxKind::log_softmax, x.data(), log_y.data(), outer, channels, inner);
      softmax_backward(SoftmaxKind::softmax, y.data(), dy.data(), dx.data(), outer, channels, inner);
      softmax_backward(SoftmaxKind::log_softmax, log_y.data(), dy.data(), log_dx.data(), outer, channels,
                       inner);
      for (const auto& part : {log_y, dx, log_dx}) y.insert(y.end(), part.begin(), part.end());
      results.push_back(y);
    }
    CHECK(results[0] == results[1]);
    CHECK(results[0] == results[2]);
  }
  cbnet::set_num_threads(before);
}
