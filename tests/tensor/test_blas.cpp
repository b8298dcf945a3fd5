#include "tensor/cpu/blas.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tensor/parallel.h"
#include "tensor/rng.h"

using namespace cbnet;

namespace {

/// Largest error of gemm against a plain f64 loop nest, relative to the sum of absolute products.
template <class T>
double worst_error(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, T beta) {
  Rng rng(static_cast<std::uint64_t>(m * 100 + n * 10 + k));
  const auto random = [&](std::int64_t count) {
    std::vector<T> out(static_cast<std::size_t>(count));
    for (T& v : out) v = static_cast<T>(rng.normal());
    return out;
  };
  const std::vector<T> a = random(m * k);
  const std::vector<T> b = random(k * n);
  std::vector<T> c = random(m * n);
  const std::vector<T> before = c;
  gemm<T>({ta, tb, m, n, k, alpha, a.data(), ta ? m : k, b.data(), tb ? k : n, beta, c.data(), n});
  double worst = 0.0;
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      const auto at = static_cast<std::size_t>(i * n + j);
      double sum = beta * static_cast<double>(before[at]);
      double magnitude = std::abs(sum) + 1e-30;
      for (std::int64_t p = 0; p < k; ++p) {
        const double product = static_cast<double>(alpha) *
                               a[static_cast<std::size_t>(ta ? p * m + i : i * k + p)] *
                               b[static_cast<std::size_t>(tb ? j * k + p : p * n + j)];
        sum += product;
        magnitude += std::abs(product);
      }
      worst = std::max(worst, std::abs(sum - static_cast<double>(c[at])) / magnitude);
    }
  }
  return worst;
}

}  // namespace

TEST_CASE_TEMPLATE("gemm equals the plain loop nest for every transposition, odd sizes and threads", T, float,
                   double) {
  // Rounding grows with the length of the sum, at most k half-ulps; these sums are short.
  const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-13;
  const int before = num_threads();
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        for (const std::int64_t m : {1, 7, 64, 257}) {
          for (const std::int64_t n : {1, 13, 129}) {
            for (const std::int64_t k : {1, 16, 130})
              CHECK(worst_error<T>(ta, tb, m, n, k, T(1), T(0)) < tolerance);
          }
        }
        CHECK(worst_error<T>(ta, tb, 33, 65, 17, T(-0.5), T(2)) < tolerance);
      }
    }
  }
  set_num_threads(before);
}

TEST_CASE("beta == 0 overwrites NaN, and k == 0 gives zeros") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> c = {nan, nan};
  const float a[] = {2};
  const float b[] = {3, 4};
  gemm<float>({false, false, 1, 2, 1, 1.0F, a, 1, b, 2, 0.0F, c.data(), 2});
  CHECK(c == std::vector<float>{6, 8});
  // The paths that OpenBLAS takes by size: small, packed, and tall or wide with one row or column.
  for (const auto& [m, n, k] :
       {std::array<std::int64_t, 3>{8, 8, 8}, {64, 64, 64}, {300, 200, 100}, {1, 500, 70}, {500, 1, 70}}) {
    const std::vector<float> ones(static_cast<std::size_t>(std::max({m * k, k * n})), 1.0F);
    for (const bool transpose : {false, true}) {
      std::vector<float> out(static_cast<std::size_t>(m * n), nan);
      gemm<float>({transpose, transpose, m, n, k, 1.0F, ones.data(), transpose ? m : k, ones.data(),
                   transpose ? k : n, 0.0F, out.data(), n});
      CHECK(out == std::vector<float>(out.size(), static_cast<float>(k)));
    }
  }
  c = {nan, nan};
  gemm<float>({false, false, 1, 2, 0, 1.0F, a, 1, b, 2, 0.0F, c.data(), 2});
  CHECK(c == std::vector<float>{0, 0});
}

TEST_CASE("the BLAS in use has a name") { CHECK_FALSE(blas_description().empty()); }
