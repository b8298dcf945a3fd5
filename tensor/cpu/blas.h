#pragma once

#include <cstdint>
#include <string>

namespace cbnet {

/// Computes C = alpha * op(A) op(B) + beta * C, row-major, op(X) = X or its transpose; T is float or double.
/// op(A) is (m, k), op(B) is (k, n), C is (m, n); ld* are row lengths of the matrices as stored.
/// The threads of parallel.h split the larger side of C. Inside each runs the ISA's own kernel where there is
/// one (kernels/gemm.h: avx2, avx512) and C has enough rows to pay for it, else OpenBLAS, single-threaded.
/// With the ISA forced to scalar a plain loop nest runs instead. beta == 0 overwrites C, NaN included.
template <class T>
void gemm(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
          const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc);

extern template void gemm<float>(bool, bool, std::int64_t, std::int64_t, std::int64_t, float, const float*,
                                 std::int64_t, const float*, std::int64_t, float, float*, std::int64_t);
extern template void gemm<double>(bool, bool, std::int64_t, std::int64_t, std::int64_t, double, const double*,
                                  std::int64_t, const double*, std::int64_t, double, double*, std::int64_t);

/// Returns name, version and threading of the BLAS in use, for `cbnet info` and the record of a measurement.
std::string blas_description();

}  // namespace cbnet
