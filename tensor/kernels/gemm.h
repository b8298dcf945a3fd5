#pragma once

#include <cstddef>
#include <cstdint>

namespace cbnet::kernels {

// C = alpha * op(A) op(B) + beta * C, row-major, as tensor/blas.h says. One thread, no allocation.
template <class T>
struct GemmArgs {
  bool transpose_a, transpose_b;
  int64_t m, n, k;  // at least 1
  T alpha;
  const T* a;
  int64_t lda;
  const T* b;
  int64_t ldb;
  T beta;  // 0 overwrites C, NaN included
  T* c;
  int64_t ldc;
};

constexpr int64_t kGemmDepth = 384;  // most rows of B that a panel holds: a panel stays in a 256 KB L2

// Elements of T that the workspace must hold, for any ISA and alignment.
constexpr size_t kGemmWorkspace = static_cast<size_t>(kGemmDepth) * 64 + 16;

}  // namespace cbnet::kernels
