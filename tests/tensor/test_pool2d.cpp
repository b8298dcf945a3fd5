#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "tensor/backend.h"
#include "tensor/parallel.h"
#include "tensor/rng.h"

using cbnet::Pool2dDims;
using cbnet::Pool2dOptions;

namespace {

using std::int64_t;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Calls fn(output element, input element or -1 for padding) for every tap of every window of a plane.
template <class Fn>
void for_each_tap(const Pool2dDims& d, Fn fn) {
  for (int64_t out = 0; out < d.oh * d.ow; ++out) {
    for (int64_t tap = 0; tap < d.kernel_h * d.kernel_w; ++tap) {
      const int64_t y = out / d.ow * d.stride_h - d.pad_h + tap / d.kernel_w * d.dilation_h;
      const int64_t x = out % d.ow * d.stride_w - d.pad_w + tap % d.kernel_w * d.dilation_w;
      fn(out, y >= 0 && y < d.h && x >= 0 && x < d.w ? y * d.w + x : -1);
    }
  }
}

/// Few different values, so that there are ties.
template <class T>
std::vector<T> coarse(int64_t count, std::uint64_t seed) {
  cbnet::Rng rng(seed);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values) value = static_cast<T>(static_cast<int>(rng.uniform() * 7.0) - 3);
  return values;
}

template <class T>
void check_max(int64_t planes, int64_t h, int64_t w, const Pool2dOptions& options) {
  const Pool2dDims d = cbnet::pool2d_dims("test", planes, h, w, options);
  const std::vector<T> x = coarse<T>(planes * h * w, 1);
  const std::vector<T> dy = coarse<T>(planes * d.oh * d.ow, 2);
  // A guard behind each result shows a write past the end.
  std::vector<T> y(dy.size() + 1, T(77)), plain(dy.size() + 1, T(77)), dx(x.size() + 1, T(77));
  std::vector<std::int32_t> argmax(dy.size() + 1, 77);
  const cbnet::Backend& backend = cbnet::cpu::backend();
  constexpr cbnet::DType kDType = cbnet::DTypeOf<T>::value;
  backend.pool2d({.dtype = kDType, .dims = d, .x = x.data(), .y = y.data(), .argmax = argmax.data()});
  backend.pool2d({.dtype = kDType, .dims = d, .x = x.data(), .y = plain.data()});
  backend.pool2d_backward(
      {.dtype = kDType, .dims = d, .dy = dy.data(), .argmax = argmax.data(), .dx = dx.data()});

  std::vector<T> want(dy.size() + 1, static_cast<T>(-kInfinity)), want_dx(x.size() + 1, T(0));
  std::vector<std::int32_t> where(dy.size() + 1, -1);
  want.back() = want_dx.back() = T(77);
  where.back() = 77;
  for (int64_t p = 0; p < planes; ++p) {
    for_each_tap(d, [&](int64_t out, int64_t at) {
      const auto o = static_cast<std::size_t>(p * d.oh * d.ow + out);
      if (at < 0 || !(x[static_cast<std::size_t>(p * h * w + at)] > want[o])) return;
      want[o] = x[static_cast<std::size_t>(p * h * w + at)];
      where[o] = static_cast<std::int32_t>(at);
    });
    for (int64_t out = 0; out < d.oh * d.ow; ++out) {
      const auto o = static_cast<std::size_t>(p * d.oh * d.ow + out);
      if (where[o] >= 0) want_dx[static_cast<std::size_t>(p * h * w + where[o])] += dy[o];
    }
  }
  CHECK(y == want);
  CHECK(plain == want);
  CHECK(argmax == where);
  CHECK(dx == want_dx);
}

}  // namespace

TEST_CASE("pool2d: 2 x 2 windows with stride 2, every width around the vectors' edges") {
  for (int64_t w = 2; w <= 35; ++w) {
    for (const int64_t h : {2, 3, 7, 8}) {
      CAPTURE(w);
      CAPTURE(h);
      for (const bool ceil_mode : {false, true}) {
        check_max<float>(3, h, w, Pool2dOptions::square(2, 2, 0, 1, ceil_mode));
        check_max<double>(2, h, w, Pool2dOptions::square(2, 2, 0, 1, ceil_mode));
      }
    }
  }
}

TEST_CASE("pool2d: max over other windows") {
  for (const bool ceil_mode : {false, true}) {
    check_max<float>(3, 7, 13, Pool2dOptions::square(3, 2, 1, 1, ceil_mode));
    check_max<float>(3, 9, 8, Pool2dOptions::square(2, 2, 1, 1, ceil_mode));
    check_max<float>(2, 13, 7, Pool2dOptions::square(2, 3, 0, 2, ceil_mode));
    check_max<double>(2, 5, 4, {2, 3, 1, 2, 1, 1, 2, 1, ceil_mode});
    check_max<double>(2, 3, 3, Pool2dOptions::square(2, 1, 2, 4, ceil_mode));
    check_max<float>(1, 1, 1, Pool2dOptions::square(1, 1, 0, 1, ceil_mode));
    check_max<float>(0, 4, 4, Pool2dOptions::square(2, 2, 0, 1, ceil_mode));
  }
}

TEST_CASE("pool2d: mean, and its backward pass as the transpose") {
  for (const bool include : {false, true}) {
    for (const Pool2dOptions& options :
         {Pool2dOptions::square(2, 2, 0, 1, true), Pool2dOptions::square(3, 2, 1, 1, true),
          Pool2dOptions::square(5, 3, 2), Pool2dOptions{2, 3, 1, 2, 1, 0}}) {
      const Pool2dDims d = cbnet::pool2d_dims("test", 1, 7, 8, options);
      const auto outputs = static_cast<std::size_t>(d.oh * d.ow),
                 inputs = static_cast<std::size_t>(d.h * d.w);
      // Row o of the matrix: what each input element counts in output o.
      std::vector<double> matrix(outputs * inputs, 0.0);
      for (std::size_t out = 0; out < outputs; ++out) {
        const int64_t top = static_cast<int64_t>(out) / d.ow * d.stride_h;
        const int64_t left = static_cast<int64_t>(out) % d.ow * d.stride_w;
        int64_t counted = 0;
        const auto each = [&](auto fn) {
          for (int64_t y = top; y < top + d.kernel_h; ++y) {
            for (int64_t x = left; x < left + d.kernel_w; ++x) {
              // In coordinates of the padded input.
              const bool padded = y < d.h + 2 * d.pad_h && x < d.w + 2 * d.pad_w;
              const bool inside = y >= d.pad_h && y < d.h + d.pad_h && x >= d.pad_w && x < d.w + d.pad_w;
              fn(padded, inside, (y - d.pad_h) * d.w + x - d.pad_w);
            }
          }
        };
        each([&](bool padded, bool inside, int64_t) { counted += include ? padded : inside; });
        each([&](bool, bool inside, int64_t at) {
          if (inside)
            matrix[out * inputs + static_cast<std::size_t>(at)] = 1.0 / static_cast<double>(counted);
        });
      }
      const std::vector<double> x = coarse<double>(d.h * d.w, 3), dy = coarse<double>(d.oh * d.ow, 4);
      std::vector<double> y(outputs), dx(inputs);
      const cbnet::Backend& backend = cbnet::cpu::backend();
      const auto f64 = cbnet::DType::f64;
      backend.pool2d({.dtype = f64,
                      .dims = d,
                      .average = true,
                      .count_include_pad = include,
                      .x = x.data(),
                      .y = y.data()});
      backend.pool2d_backward({.dtype = f64,
                               .dims = d,
                               .average = true,
                               .count_include_pad = include,
                               .dy = dy.data(),
                               .dx = dx.data()});
      for (std::size_t out = 0; out < outputs; ++out) {
        double want = 0.0;
        for (std::size_t at = 0; at < inputs; ++at) want += matrix[out * inputs + at] * x[at];
        CHECK(y[out] == doctest::Approx(want).epsilon(1e-14));
      }
      for (std::size_t at = 0; at < inputs; ++at) {
        double want = 0.0;
        for (std::size_t out = 0; out < outputs; ++out) want += matrix[out * inputs + at] * dy[out];
        CHECK(dx[at] == doctest::Approx(want).epsilon(1e-14));
      }
    }
  }
}
