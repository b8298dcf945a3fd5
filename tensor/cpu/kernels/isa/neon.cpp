// Advanced SIMD, part of the aarch64 baseline.
#include "tensor/cpu/kernels/isa_table.h"

#define CBNET_ISA neon
#define CBNET_VECTOR_BYTES 16

namespace cbnet::kernels::neon {
namespace {

// 32 registers: 4 * 6 sums, 4 pixels, 1 weight; 5 * 5 sums, 5 taps, 1 gradient.
constexpr int kForwardVectors = 4, kForwardOutputs = 6;
// OpenBLAS until the two have been measured on such a processor.
constexpr bool kOwnGemm = false;
constexpr int kWeightOutputs = 5, kWeightTaps = 5;

}  // namespace
}  // namespace cbnet::kernels::neon

#include "tensor/cpu/kernels/isa/table.inc.h"
