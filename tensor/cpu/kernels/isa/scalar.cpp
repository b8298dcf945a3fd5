// The reference: the architecture's baseline flags, one element at a time in the source.
#include "tensor/cpu/kernels/isa_table.h"

#define CBNET_ISA scalar
#define CBNET_VECTOR_BYTES 0

namespace cbnet::kernels::scalar {
namespace {

// 16 registers: 2 * 6 sums, 2 pixels, 1 weight; 3 * 3 sums, 3 taps, 1 gradient.
constexpr int kForwardVectors = 2, kForwardOutputs = 6;
// tensor/cpu/blas.cpp has the reference.
constexpr bool kOwnGemm = false;
constexpr int kWeightOutputs = 3, kWeightTaps = 3;

}  // namespace
}  // namespace cbnet::kernels::scalar

#include "tensor/cpu/kernels/isa/table.inc.h"
