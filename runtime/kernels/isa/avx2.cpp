// AVX2 and FMA.
#include <immintrin.h>

#include "runtime/kernels/table.h"

#define CBNET_ISA avx2
#define CBNET_VECTOR_BYTES 32

namespace cbnet::runtime::kernels::avx2 {
namespace {

// 16 registers: 3 rows * 2 groups * 2 vectors of sums, or 2 * 2 * 2 and the signs of the inputs. Two groups a
// panel make single rows faster; bf16 with its two vectors a weight has registers for one.
constexpr DenseBlock kDenseF32{2, 3}, kDenseBf16{1, 4}, kDenseS8{2, 2};
constexpr int kDenseSparseRows = 6;
constexpr DenseNarrow kDenseNarrow{12, 1};
// A convolution: 12 sums, 3 vectors of pixels, 1 weight.
constexpr int kAccumulators = 12;

}  // namespace
}  // namespace cbnet::runtime::kernels::avx2

#include "runtime/kernels/isa/table.inc.h"
