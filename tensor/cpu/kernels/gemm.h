#pragma once

#include <cstddef>
#include <cstdint>

namespace cbnet::kernels {

// The kernel computes C = alpha * op(A) op(B) + beta * C, row-major, as tensor/cpu/blas.h says, in one thread
// and without allocating. `gemm` in tensor/reference/products.cpp defines it.
template <class T>
struct GemmArgs {
  bool transpose_a = false, transpose_b = false;
  int64_t m = 0, n = 0, k = 0;
  T alpha = 1;
  const T* a = nullptr;
  int64_t lda = 0;
  const T* b = nullptr;
  int64_t ldb = 0;
  T beta = 0;  // 0 overwrites C, NaN included
  T* c = nullptr;
  int64_t ldc = 0;
};

constexpr int64_t kGemmDepth = 384;  // max rows of B that a panel holds: a panel stays in a 256 KB L2
constexpr int64_t kGemmPanel = kGemmDepth * 64;  // elements of the largest panel of any ISA
constexpr int64_t kGemmTiles = 64;  // max tiles under one another that a panel is read for before the next

// The workspace must hold so many elements of T, for any ISA and alignment: a panel, the sums of so many
// tiles before they are transposed, and for every tile, the panel and a dense product a list of 16-bit
// numbers.
constexpr size_t kGemmWorkspace =
    static_cast<size_t>(2 * kGemmPanel + (kGemmTiles + 2) * kGemmDepth / 2) + 16;

}  // namespace cbnet::kernels
