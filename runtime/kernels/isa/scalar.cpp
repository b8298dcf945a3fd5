// The reference: the architecture's baseline flags, one element at a time in the source.
#include "runtime/kernels/table.h"

#define CBNET_ISA scalar
#define CBNET_VECTOR_BYTES 0

namespace cbnet::runtime::kernels::scalar {
namespace {

// 16 sums a group of outputs: one row at a time.
constexpr DenseBlock kDenseF32{1, 1}, kDenseBf16{1, 1}, kDenseS8{1, 1};
constexpr int kDenseSparseRows = 1;
constexpr DenseNarrow kDenseNarrow{1, 1};
// A convolution: 8 sums, 4 pixels, 1 weight.
constexpr int kAccumulators = 8;

}  // namespace
}  // namespace cbnet::runtime::kernels::scalar

#include "runtime/kernels/isa/table.inc.h"
