#pragma once

#include <string>

#include "tensor/cpu/kernels/gemm.h"

namespace cbnet {

/// Computes C = alpha * op(A) op(B) + beta * C, row-major, op(X) = X or its transpose; T is float or double.
/// op(A) is (m, k), op(B) is (k, n), C is (m, n); ld* are row lengths of the matrices as stored.
/// The threads of parallel.h split the larger side of C. Inside each runs the ISA's own kernel where there is
/// one (kernels/gemm.h: avx2, avx512) and C has enough rows to pay for it, else OpenBLAS, single-threaded.
/// With the ISA forced to scalar a plain loop nest runs instead. beta == 0 overwrites C, NaN included.
template <class T>
void gemm(const kernels::GemmArgs<T>& args);

extern template void gemm(const kernels::GemmArgs<float>&);
extern template void gemm(const kernels::GemmArgs<double>&);

/// Returns name, version and threading of the BLAS in use, for `cbnet info` and the record of a measurement.
std::string blas_description();

}  // namespace cbnet
