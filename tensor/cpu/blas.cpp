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

using kernels::GemmArgs;

CBLAS_TRANSPOSE blas_transpose(bool transpose) { return transpose ? CblasTrans : CblasNoTrans; }
blasint blas_size(std::int64_t size) { return static_cast<blasint>(size); }

void cblas_gemm(const GemmArgs<float>& g) {
  cblas_sgemm(CblasRowMajor, blas_transpose(g.transpose_a), blas_transpose(g.transpose_b), blas_size(g.m),
              blas_size(g.n), blas_size(g.k), g.alpha, g.a, blas_size(g.lda), g.b, blas_size(g.ldb), g.beta,
              g.c, blas_size(g.ldc));
}

void cblas_gemm(const GemmArgs<double>& g) {
  cblas_dgemm(CblasRowMajor, blas_transpose(g.transpose_a), blas_transpose(g.transpose_b), blas_size(g.m),
              blas_size(g.n), blas_size(g.k), g.alpha, g.a, blas_size(g.lda), g.b, blas_size(g.ldb), g.beta,
              g.c, blas_size(g.ldc));
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
void gemm(const GemmArgs<T>& args) {
  const std::int64_t m = args.m, n = args.n, k = args.k;
  if (m <= 0 || n <= 0) return;
  constexpr std::int64_t kMax = std::numeric_limits<blasint>::max();
  require(std::max({m, n, k, args.lda, args.ldb, args.ldc}) <= kMax, "gemm", "sizes must be at most ", kMax,
          "; got m ", m, ", n ", n, ", k ", k);
  const bool scalar = active_isa() == Isa::scalar;
  const auto& table = kernels::isa_table<T>();
  const bool large = m >= kFewRows && n >= kFewColumns && k >= kShortSums;
  const bool plain = scalar || k == 0;  // OpenBLAS leaves C alone when k == 0
  const bool ours = plain || (table.gemm_beats_blas && large);
  if (!ours) one_blas_thread();

  const auto block = [&](std::int64_t i0, std::int64_t i1, std::int64_t j0, std::int64_t j1) {
    GemmArgs<T> part = args;
    part.m = i1 - i0;
    part.n = j1 - j0;
    part.a += args.transpose_a ? i0 : i0 * args.lda;
    part.b += args.transpose_b ? j0 * args.ldb : j0;
    part.c += i0 * args.ldc + j0;
    if (!ours) return cblas_gemm(part);
    Storage panel(plain ? 0 : kernels::kGemmWorkspace * sizeof(T));
    (plain ? kernels::isa_table<T>(Isa::scalar) : table).gemm(part, reinterpret_cast<T*>(panel.data()));
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

template void gemm(const GemmArgs<float>&);
template void gemm(const GemmArgs<double>&);

std::string blas_description() {
  return std::string(openblas_get_config()) + ", 1 thread per worker" +
         (active_isa() == Isa::scalar ? " (not used: ISA forced to scalar)" : "");
}

}  // namespace cbnet
