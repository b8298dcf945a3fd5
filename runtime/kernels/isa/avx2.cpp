// AVX2 and FMA.
#include <immintrin.h>

#include "runtime/kernels/table.h"

#define CBNET_ISA avx2
#define CBNET_VECTOR_BYTES 32

namespace cbnet::runtime::kernels::avx2 {
namespace {

// 16 registers: 6 rows * 2 vectors of sums, 2 of weights, 1 input; bf16 has two vectors a weight. Panels of
// one group are read from front to back, also where several rows leave no registers for two; bytes: 2 rows *
// 4 vectors of sums.
constexpr DenseBlock kDenseF32{1, 6}, kDenseBf16{1, 4}, kDenseS8{2, 2};
constexpr int kDenseSparseRows = 6;
constexpr DenseNarrow kDenseNarrow{12, 1};
// A convolution: 12 sums, 3 vectors of pixels, 1 weight.
constexpr int kAccumulators = 12;

}  // namespace
}  // namespace cbnet::runtime::kernels::avx2

#include "runtime/kernels/isa/table.inc.h"
