// matmul: c = a b, for one matrix or for a batch of them.
// Shapes : a (M, K), b (K, N) -> c (M, N); a (B, M, K), b (B, K, N) -> c (B, M, N);
//          a (B, M, K), b (K, N), the same b for the whole batch -> c (B, M, N).     Dtypes: f32, f64.
// Saves  : a, b.      Grad  : da = dc b^T; db = a^T dc, summed over the batch when b is shared.
// Edge   : K == 0 gives zeros; an empty B, M or N gives an empty c and zero gradients.
// Kernels: gemm (avx2, avx512, OpenBLAS; a plain loop nest when the ISA is forced to scalar). Views that are
// not
//          row-major are copied first.
#include "autograd/ops/matmul.h"

#include "tensor/backend.h"

namespace cbnet::ops {
namespace {

/// This is a batch of products; a shared b is one tall matrix times b, so its batch is 1.
struct MatmulSizes {
  std::int64_t batch, m, n, k;
};

MatmulSizes sizes_of(const Shape& a, const Shape& b) {
  if (a.size() == 2) return {1, a[0], b[1], a[1]};
  if (b.size() == 2) return {1, a[0] * a[1], b[1], a[2]};
  return {a[0], a[1], b[2], a[2]};
}

struct Factor {
  const Tensor& matrices;
  bool transposed = false;
};

/// Computes c = op(a) op(b) for every matrix of a batch.
Tensor product(const Shape& shape, const MatmulSizes& sizes, const Factor& a, const Factor& b) {
  Tensor c = Tensor::empty(shape, a.matrices);
  backend_of(c.device())
      .gemm({.dtype = c.dtype(),
             .transpose_a = a.transposed,
             .transpose_b = b.transposed,
             .batch = sizes.batch,
             .m = sizes.m,
             .n = sizes.n,
             .k = sizes.k,
             .a = a.matrices.address(),
             .b = b.matrices.address(),
             .c = c.address()});
  return c;
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
  return product(infer(args, shapes), sizes_of(a.shape(), b.shape()), {a}, {b});
}

Gradients Matmul::backward(const Args&, const Saved& saved, const Tensor& doutput) {
  const Tensor& a = saved.tensors[0];
  const Tensor& b = saved.tensors[1];
  const Tensor dc = doutput.contiguous();
  const auto [batch, m, n, k] = sizes_of(a.shape(), b.shape());
  Gradients gradients(2);
  if (saved.needs_grad[0]) gradients[0] = product(a.shape(), {batch, m, k, n}, {dc}, {b, true});
  if (saved.needs_grad[1]) gradients[1] = product(b.shape(), {batch, k, n, m}, {a, true}, {dc});
  return gradients;
}

}  // namespace cbnet::ops
