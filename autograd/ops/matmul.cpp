// matmul: c = a b, for one matrix or for a batch of them.
// Shapes : a (M, K), b (K, N) -> c (M, N); a (B, M, K), b (B, K, N) -> c (B, M, N);
//          a (B, M, K), b (K, N), the same b for the whole batch -> c (B, M, N).     Dtypes: f32, f64.
// Saves  : a, b.      Grad  : da = dc b^T; db = a^T dc, summed over the batch when b is shared.
// Edge   : K == 0 gives zeros; an empty B, M or N gives an empty c and zero gradients.
// Kernels: gemm (avx2, avx512, OpenBLAS; a plain loop nest when the ISA is forced to scalar). Views that are
// not
//          row-major are copied first.
#include "autograd/ops/matmul.h"

#include "tensor/blas.h"
#include "tensor/parallel.h"

namespace cbnet::ops {
namespace {

/// A batch of products; a shared b is one tall matrix times b, so its batch is 1.
struct Sizes {
  std::int64_t batch, m, n, k;
};

Sizes sizes_of(const Shape& a, const Shape& b) {
  if (a.size() == 2) return {1, a[0], b[1], a[1]};
  if (b.size() == 2) return {1, a[0] * a[1], b[1], a[2]};
  return {a[0], a[1], b[2], a[2]};
}

/// c = op(a) op(b) for every matrix of a batch; op(a) is (m, k), op(b) is (k, n), all row-major.
template <class T>
void batched_gemm(bool transpose_a, bool transpose_b, const Sizes& sizes, const Tensor& a, const Tensor& b,
                  Tensor& c) {
  const auto [batch, m, n, k] = sizes;
  const T* as = a.data<T>();
  const T* bs = b.data<T>();
  T* cs = c.data<T>();
  const std::int64_t lda = transpose_a ? m : k;
  const std::int64_t ldb = transpose_b ? k : n;
  const auto run = [&, m = m, n = n, k = k](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      gemm<T>(transpose_a, transpose_b, m, n, k, T(1), as + i * m * k, lda, bs + i * k * n, ldb, T(0),
              cs + i * m * n, n);
    }
  };
  // With fewer matrices than threads, gemm itself splits each of them.
  if (batch < num_threads()) {
    run(0, batch);
  } else {
    constexpr std::int64_t kGrainMacs = 100'000;
    parallel_for(batch, kGrainMacs / std::max<std::int64_t>(m * n * k, 1) + 1, run);
  }
}

}  // namespace

Shape Matmul::infer(const Args&, std::span<const Shape> in) {
  const Shape& a = in[0];
  const Shape& b = in[1];
  require((a.size() == 2 && b.size() == 2) || (a.size() == 3 && (b.size() == 2 || b.size() == 3)), kName,
          "expected (M,K) (K,N), (B,M,K) (B,K,N) or (B,M,K) (K,N); got a ", a, ", b ", b);
  require(a.size() == 2 || b.size() == 2 || a[0] == b[0], kName, "batch sizes must be equal; got a ", a,
          ", b ", b);
  require(a.back() == b[b.size() - 2], kName, "columns of a must equal rows of b; got a ", a, ", b ", b);
  Shape c = a;
  c.back() = b.back();
  return c;
}

Tensor Matmul::forward(const Args& args, Inputs in, Saved& saved) {
  const Tensor a = in[0].contiguous();
  const Tensor b = in[1].contiguous();
  saved.keep({a, b}, {2, 1});  // each is a factor of the other's gradient
  const Shape shapes[] = {a.shape(), b.shape()};
  Tensor c = Tensor::empty(infer(args, shapes), a.dtype());
  dispatch_floating(a.dtype(), kName, [&](auto zero) {
    batched_gemm<decltype(zero)>(false, false, sizes_of(a.shape(), b.shape()), a, b, c);
  });
  return c;
}

Gradients Matmul::backward(const Args&, const Saved& saved, const Tensor& doutput) {
  const Tensor& a = saved.tensors[0];
  const Tensor& b = saved.tensors[1];
  const Tensor dc = doutput.contiguous();
  const auto [batch, m, n, k] = sizes_of(a.shape(), b.shape());
  Gradients gradients(2);
  dispatch_floating(a.dtype(), kName, [&, batch = batch, m = m, n = n, k = k](auto zero) {
    using T = decltype(zero);
    if (saved.needs_grad[0]) {
      gradients[0] = Tensor::empty(a.shape(), a.dtype());
      batched_gemm<T>(false, true, {batch, m, k, n}, dc, b, gradients[0]);
    }
    if (saved.needs_grad[1]) {
      gradients[1] = Tensor::empty(b.shape(), b.dtype());
      batched_gemm<T>(true, false, {batch, k, n, m}, a, dc, gradients[1]);
    }
  });
  return gradients;
}

}  // namespace cbnet::ops
