// `gemm` in tensor/reference/products.cpp defines what this file computes. Threads cut C along its longer
// side, into ranges of rows or of columns in whole vectors.
#include "tensor/cpu/blas.h"

#include <cblas.h>

#include <algorithm>
#include <limits>

#include "tensor/cpu/isa.h"
#include "tensor/cpu/kernels/isa_table.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/storage.h"

namespace cbnet {
namespace {

void cblas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m, blasint n, blasint k, float alpha,
                const float* a, blasint lda, const float* b, blasint ldb, float beta, float* c, blasint ldc) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void cblas_gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m, blasint n, blasint k, double alpha,
                const double* a, blasint lda, const double* b, blasint ldb, double beta, double* c,
                blasint ldc) {
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

// OpenBLAS starts its own threads unless told otherwise; two owners of the cores fight over them.
void one_blas_thread() {
  static const bool done = (openblas_set_num_threads(1), true);
  static_cast<void>(done);
}

/// Below these sizes copying a panel of B costs more than it gains.
constexpr std::int64_t kFewRows = 16, kFewColumns = 16, kShortSums = 16;

}  // namespace

template <class T>
void gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
          const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) {
  if (m <= 0 || n <= 0) return;
  constexpr std::int64_t kMax = std::numeric_limits<blasint>::max();
  require(std::max({m, n, k, lda, ldb, ldc}) <= kMax, "gemm", "sizes must be at most ", kMax, "; got m ", m,
          ", n ", n, ", k ", k);
  const bool scalar = active_isa() == Isa::scalar;
  const auto& table = kernels::isa_table<T>();
  const bool large = m >= kFewRows && n >= kFewColumns && k >= kShortSums;
  const bool plain = scalar || k == 0;  // OpenBLAS leaves C alone when k == 0
  const bool ours = plain || (table.gemm_beats_blas && large);
  if (!ours) one_blas_thread();

  const auto block = [&](std::int64_t i0, std::int64_t i1, std::int64_t j0, std::int64_t j1) {
    const T* a_block = transpose_a ? a + i0 : a + i0 * lda;
    const T* b_block = transpose_b ? b + j0 * ldb : b + j0;
    T* c_block = c + i0 * ldc + j0;
    if (ours) {
      Storage panel(plain ? 0 : kernels::kGemmWorkspace * sizeof(T));
      (plain ? kernels::isa_table<T>(Isa::scalar) : table)
          .gemm({transpose_a, transpose_b, i1 - i0, j1 - j0, k, alpha, a_block, lda, b_block, ldb, beta,
                 c_block, ldc},
                reinterpret_cast<T*>(panel.data()));
      return;
    }
    cblas_gemm(transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans,
               static_cast<blasint>(i1 - i0), static_cast<blasint>(j1 - j0), static_cast<blasint>(k), alpha,
               a_block, static_cast<blasint>(lda), b_block, static_cast<blasint>(ldb), beta, c_block,
               static_cast<blasint>(ldc));
  };

  // A thread is worth its start from about 0.1 million multiply-adds.
  constexpr std::int64_t kGrainMacs = 100'000;
  if (m >= n) {
    parallel_for(m, kGrainMacs / std::max<std::int64_t>(n * k, 1) + 1,
                 [&](std::int64_t begin, std::int64_t end) { block(begin, end, 0, n); });
  } else {
    // Each thread has whole vectors.
    const std::int64_t lanes = table.lanes;
    parallel_for(
        (n + lanes - 1) / lanes, kGrainMacs / std::max<std::int64_t>(m * k * lanes, 1) + 1,
        [&](std::int64_t begin, std::int64_t end) { block(0, m, begin * lanes, std::min(end * lanes, n)); });
  }
}

template void gemm<float>(bool, bool, std::int64_t, std::int64_t, std::int64_t, float, const float*,
                          std::int64_t, const float*, std::int64_t, float, float*, std::int64_t);
template void gemm<double>(bool, bool, std::int64_t, std::int64_t, std::int64_t, double, const double*,
                           std::int64_t, const double*, std::int64_t, double, double*, std::int64_t);

std::string blas_description() {
  return std::string(openblas_get_config()) + ", 1 thread per worker" +
         (active_isa() == Isa::scalar ? " (not used: ISA forced to scalar)" : "");
}

}  // namespace cbnet
