// The reference: the architecture's baseline flags, one element at a time in the source.
#include "runtime/kernels/table.h"

#define CBNET_ISA scalar
#define CBNET_VECTOR_BYTES 0

namespace cbnet::runtime::kernels::scalar {
namespace {

// 16 sums a group of outputs: one row at a time.
constexpr int kDenseGroups = 1, kDenseRows = 1;
// A convolution: 8 sums, 4 pixels, 1 weight.
constexpr int kAccumulators = 8;

}  // namespace
}  // namespace cbnet::runtime::kernels::scalar

#include "runtime/kernels/isa/table.inc.h"
