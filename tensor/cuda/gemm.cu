#include <limits>

#include "tensor/cuda/context.h"
#include "tensor/cuda/functions.h"
#include "tensor/error.h"

namespace cbnet::cuda {
namespace {

constexpr std::int64_t kMaxSize = std::numeric_limits<int>::max();

/// cuBLAS reads matrices by columns: our rows of c = op(a) op(b) are the columns of its op(b)^T op(a)^T.
template <class T, class Product>
void run(const GemmCall& call, Product product) {
  const auto op = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const int m = static_cast<int>(call.m), n = static_cast<int>(call.n), k = static_cast<int>(call.k);
  const T alpha = 1, beta = static_cast<T>(call.beta);
  check(product(blas(), op(call.transpose_b), op(call.transpose_a), n, m, k, &alpha,
                static_cast<const T*>(call.b), call.transpose_b ? k : n, call.n * call.k,
                static_cast<const T*>(call.a), call.transpose_a ? m : k, call.m * call.k, &beta,
                static_cast<T*>(call.c), n, call.m * call.n, static_cast<int>(call.batch)),
        "gemm");
}

}  // namespace

void gemm(const GemmCall& call) {
  if (call.batch == 0 || call.m == 0 || call.n == 0) return;
  require(call.m <= kMaxSize && call.n <= kMaxSize && call.k <= kMaxSize && call.batch <= kMaxSize, "gemm",
          "the device cuda takes sizes to ", kMaxSize, "; got ", call.m, "x", call.k, " by ", call.k, "x",
          call.n);
  if (call.k == 0) {  // a sum of nothing
    const std::int64_t shape[] = {call.batch * call.m * call.n}, strides[] = {1};
    if (call.beta == 0.0) fill({.dtype = call.dtype, .shape = shape, .target = call.c, .strides = strides});
    return;
  }
  if (call.dtype == DType::f32) {
    run<float>(call, cublasSgemmStridedBatched);
  } else {
    run<double>(call, cublasDgemmStridedBatched);
  }
}

}  // namespace cbnet::cuda
