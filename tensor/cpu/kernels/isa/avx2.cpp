// AVX2 and FMA.
#include "tensor/cpu/kernels/isa_table.h"

#define CBNET_ISA avx2
#define CBNET_VECTOR_BYTES 32

namespace cbnet::kernels::avx2 {
namespace {

// 16 registers: 2 * 6 sums, 2 pixels, 1 weight; 5 * 2 sums, 2 taps, 1 gradient.
constexpr int kForwardVectors = 2, kForwardOutputs = 6;
// No slower than OpenBLAS, and a pinned ISA stays pinned.
constexpr bool kOwnGemm = true;
constexpr int kWeightOutputs = 5, kWeightTaps = 2;

}  // namespace
}  // namespace cbnet::kernels::avx2

#include "tensor/cpu/kernels/isa/table.inc.h"
