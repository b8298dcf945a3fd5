// AVX-512 F, BW, DQ, VL.
#include "tensor/cpu/kernels/isa_table.h"

#define CBNET_ISA avx512
#define CBNET_VECTOR_BYTES 64

namespace cbnet::kernels::avx512 {
namespace {

// 32 registers: 4 * 6 sums, 4 pixels, 1 weight; 5 * 5 sums, 5 taps, 1 gradient.
constexpr int kForwardVectors = 4, kForwardOutputs = 6;
// 54 GMAC/s where OpenBLAS reached 49, of 58, in the sizes of an autoencoder (Zen 4).
constexpr bool kOwnGemm = true;
constexpr int kWeightOutputs = 5, kWeightTaps = 5;

}  // namespace
}  // namespace cbnet::kernels::avx512

#include "tensor/cpu/kernels/isa/table.inc.h"
