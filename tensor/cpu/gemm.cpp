// `gemm` in tensor/reference/products.cpp defines what this file computes.
#include "tensor/cpu/blas.h"
#include "tensor/cpu/functions.h"

namespace cbnet::cpu {
namespace {

template <class T>
void gemm_of(const GemmCall& call) {
  const auto [m, n, k] = std::array{call.m, call.n, call.k};
  const auto products = [&, m = m, n = n, k = k](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      cbnet::gemm<T>({.transpose_a = call.transpose_a,
                      .transpose_b = call.transpose_b,
                      .m = m,
                      .n = n,
                      .k = k,
                      .a = as<T>(call.a) + i * m * k,
                      .lda = call.transpose_a ? m : k,
                      .b = as<T>(call.b) + i * k * n,
                      .ldb = call.transpose_b ? k : n,
                      .beta = static_cast<T>(call.beta),
                      .c = as<T>(call.c) + i * m * n,
                      .ldc = n});
    }
  };
  // With fewer matrices than threads, gemm itself splits each of them.
  if (call.batch < num_threads()) {
    products(0, call.batch);
  } else {
    constexpr std::int64_t kGrainMacs = 100'000;
    parallel_for(call.batch, kGrainMacs / std::max<std::int64_t>(m * n * k, 1) + 1, products);
  }
}

}  // namespace

CBNET_BY_DTYPE(gemm, GemmCall)

}  // namespace cbnet::cpu
