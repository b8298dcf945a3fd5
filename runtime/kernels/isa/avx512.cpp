// AVX-512 F, BW, DQ, VL.
#include <immintrin.h>

#include "runtime/kernels/table.h"

#define CBNET_ISA avx512
#define CBNET_VECTOR_BYTES 64

namespace cbnet::runtime::kernels::avx512 {
namespace {

// 32 registers: 6 rows * 4 vectors of sums, 4 of weights, 1 input.
constexpr DenseBlock kDenseF32{4, 6}, kDenseBf16{4, 6}, kDenseS8{4, 6};
constexpr int kDenseSparseRows = 12;
constexpr DenseNarrow kDenseNarrow{12, 2};
// A convolution: 24 sums, 4 vectors of pixels, 1 weight.
constexpr int kAccumulators = 24;

}  // namespace
}  // namespace cbnet::runtime::kernels::avx512

#include "runtime/kernels/isa/table.inc.h"
