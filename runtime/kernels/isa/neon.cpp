// Advanced SIMD, part of the aarch64 baseline.
#include <arm_neon.h>

#include "runtime/kernels/table.h"

#define CBNET_ISA neon
#define CBNET_VECTOR_BYTES 16

namespace cbnet::runtime::kernels::neon {
namespace {

// 32 registers: 6 rows * 4 vectors of sums, 4 of weights, 1 input.
constexpr DenseBlock kDenseF32{1, 6}, kDenseBf16{1, 5}, kDenseS8{1, 6};
constexpr int kDenseSparseRows = 6;
constexpr DenseNarrow kDenseNarrow{12, 2};
// A convolution: 24 sums, 4 vectors of pixels, 1 weight.
constexpr int kAccumulators = 24;

}  // namespace
}  // namespace cbnet::runtime::kernels::neon

#include "runtime/kernels/isa/table.inc.h"
