#include "tensor/cpu/kernels/gemm.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tensor/cpu/isa.h"
#include "tensor/cpu/kernels/isa_table.h"
#include "tensor/rng.h"

using namespace cbnet;

namespace {

/// Largest error of an ISA's kernel against the definition in f64, relative to the sum of absolute products;
/// infinite when it writes beside C. Rows of all three matrices are longer than the part that is used; the
/// fifth row of op(A) is zeros.
template <class T>
double worst_error(const kernels::IsaTable<T>& table, bool ta, bool tb, std::int64_t m, std::int64_t n,
                   std::int64_t k, T alpha, T beta) {
  constexpr std::int64_t kGap = 3;
  const std::int64_t lda = (ta ? m : k) + kGap, ldb = (tb ? k : n) + kGap, ldc = n + kGap;
  Rng rng(static_cast<std::uint64_t>(m * 10000 + n * 100 + k));
  const auto random = [&](std::int64_t count) {
    std::vector<T> out(static_cast<std::size_t>(count));
    for (T& value : out) value = static_cast<T>(rng.normal());
    return out;
  };
  const auto at = [](const std::vector<T>& matrix, std::int64_t index) {
    return static_cast<double>(matrix[static_cast<std::size_t>(index)]);
  };
  // The last row ends where the matrix does: what is read behind it, the address sanitizer sees.
  std::vector<T> a = random(((ta ? k : m) - 1) * lda + (ta ? m : k));
  for (std::int64_t p = 0; p < k && m > 4; ++p)
    a[static_cast<std::size_t>(ta ? p * lda + 4 : 4 * lda + p)] = T(0);
  const std::vector<T> b = random(((tb ? n : k) - 1) * ldb + (tb ? k : n));
  const std::vector<T> before = random(m * ldc);
  std::vector<T> c = before;
  if (beta == T(0)) {
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j)
        c[static_cast<std::size_t>(i * ldc + j)] = std::numeric_limits<T>::quiet_NaN();
    }
  }
  std::vector<T> workspace(kernels::kGemmWorkspace, std::numeric_limits<T>::quiet_NaN());
  table.gemm({ta, tb, m, n, k, alpha, a.data(), lda, b.data(), ldb, beta, c.data(), ldc}, workspace.data());
  double worst = 0.0;
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < ldc; ++j) {
      if (j >= n) {
        if (at(c, i * ldc + j) != at(before, i * ldc + j)) return std::numeric_limits<double>::infinity();
        continue;
      }
      double sum = beta == T(0) ? 0.0 : static_cast<double>(beta) * at(before, i * ldc + j);
      double magnitude = std::abs(sum) + 1e-30;
      for (std::int64_t p = 0; p < k; ++p) {
        const double product = static_cast<double>(alpha) * at(a, ta ? p * lda + i : i * lda + p) *
                               at(b, tb ? j * ldb + p : p * ldb + j);
        sum += product;
        magnitude += std::abs(product);
      }
      const double error = std::abs(sum - at(c, i * ldc + j)) / magnitude;
      if (!(error <= worst)) worst = error;  // a NaN is the worst
    }
  }
  return worst;
}

}  // namespace

TEST_CASE_TEMPLATE("gemm kernels: every transposition, tiles of every size, panels deeper than one", T, float,
                   double) {
  // Rounding grows with the length of the sum, at most k half-ulps; these sums are short.
  const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-13;
  int kernels_seen = 0;
  for (const Isa isa : available_isas()) {
    const kernels::IsaTable<T>& table = kernels::isa_table<T>(isa);
    if (table.gemm == nullptr) continue;
    ++kernels_seen;
    INFO(to_string(isa));
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        for (std::int64_t m = 1; m <= 40; ++m)
          CHECK(worst_error<T>(table, ta, tb, m, 21, 5, T(1), T(0)) <= tolerance);
        for (std::int64_t n = 1; n <= 70; ++n)
          CHECK(worst_error<T>(table, ta, tb, 7, n, 6, T(1), T(0)) <= tolerance);
        for (const std::int64_t k : {1, 15, 16, 17, 383, 384, 385, 769})
          CHECK(worst_error<T>(table, ta, tb, 7, 37, k, T(1), T(0)) <= tolerance);
        for (const std::int64_t m : {33, 400})
          CHECK(worst_error<T>(table, ta, tb, m, 65, 400, T(-0.5), T(2)) <= tolerance);
      }
    }
  }
  MESSAGE(kernels_seen << " ISAs have a kernel");
}

TEST_CASE_TEMPLATE("gemm kernels: zeros that are left out change no bit, and NaN meets zeros", T, float,
                   double) {
  // Two thirds of the rows of either operand's part of a sum are zeros, in runs as wide as any tile; some
  // rows of A are zeros throughout.
  constexpr std::int64_t kM = 150, kN = 150, kK = 500, kBad = 77;
  Rng rng(3);
  std::vector<T> a(kM * kK), b(kK * kN);
  for (std::int64_t p = 0; p < kK; ++p) {
    for (std::int64_t i = 0; i < kM; ++i)
      a[static_cast<std::size_t>(i * kK + p)] =
          i % 11 != 5 && (p / 9 % 3 == 0 || i / 50 == p % 3) ? T(rng.normal()) : T(-0.0);
    for (std::int64_t j = 0; j < kN; ++j)
      b[static_cast<std::size_t>(p * kN + j)] = p / 7 % 3 == 1 || j / 75 == p % 2 ? T(rng.normal()) : T(0);
  }
  const auto transposed = [](const std::vector<T>& matrix, std::int64_t rows, std::int64_t columns) {
    std::vector<T> out(matrix.size());
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c)
        out[static_cast<std::size_t>(c * rows + r)] = matrix[static_cast<std::size_t>(r * columns + c)];
    }
    return out;
  };
  for (const Isa isa : available_isas()) {
    const kernels::IsaTable<T>& table = kernels::isa_table<T>(isa);
    if (table.gemm == nullptr) continue;
    INFO(to_string(isa));
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        CAPTURE(ta);
        CAPTURE(tb);
        const auto product = [&](const std::vector<T>& left, const std::vector<T>& right) {
          const std::vector<T> l = ta ? transposed(left, kM, kK) : left,
                               r = tb ? transposed(right, kK, kN) : right;
          std::vector<T> c(kM * kN), workspace(kernels::kGemmWorkspace);
          table.gemm(
              {ta, tb, kM, kN, kK, T(1), l.data(), ta ? kM : kK, r.data(), tb ? kK : kN, T(0), c.data(), kN},
              workspace.data());
          return c;
        };
        const std::vector<T> clean = product(a, b);
        // A NaN in one row of A, or one column of B, at every depth: nothing may be left out any more.
        std::vector<T> bad_a = a, bad_b = b;
        for (const std::int64_t p : {std::int64_t{1}, kK - 2}) {
          bad_a[static_cast<std::size_t>(kBad * kK + p)] = std::numeric_limits<T>::quiet_NaN();
          for (std::int64_t j = 0; j < kN; j += 16)
            bad_b[static_cast<std::size_t>(p * kN + j)] = std::numeric_limits<T>::infinity();
        }
        const std::vector<T> by_a = product(bad_a, b), by_b = product(a, bad_b);
        int other = 0, not_nan = 0;
        for (std::int64_t i = 0; i < kM; ++i) {
          for (std::int64_t j = 0; j < kN; ++j) {
            const auto at = static_cast<std::size_t>(i * kN + j);
            if (i == kBad) {
              not_nan += !std::isnan(by_a[at]);
            } else {
              other += by_a[at] != clean[at] || std::signbit(by_a[at]) != std::signbit(clean[at]);
            }
            // Infinity times the zeros of A's rows is NaN, times what is not zero infinite.
            if (j % 16 == 0) {
              not_nan += std::isfinite(by_b[at]);
            } else {
              other += by_b[at] != clean[at] || std::signbit(by_b[at]) != std::signbit(clean[at]);
            }
          }
        }
        CHECK(other == 0);
        CHECK(not_nan == 0);
      }
    }
  }
}
