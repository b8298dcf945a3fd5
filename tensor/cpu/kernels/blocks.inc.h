#pragma once
// The blocks of sums that kernels hold in registers, by the width of a vector: the sums of a block, one
// side's operands and one of the other side's must fit. 32 registers with AVX-512 and Advanced SIMD, 16 with
// AVX2 and SSE2.

#include "tensor/cpu/kernels/linear.h"
#include "tensor/cpu/kernels/simd.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

#if CBNET_VECTOR_BYTES == 64
// conv2d_direct, conv2d_lanes and gemm: 4 * 6 sums, 4 pixels, 1 weight; 5 * 5 sums, 5 taps, 1 gradient.
constexpr int kForwardVectors = 4, kForwardOutputs = 6, kWeightOutputs = 5, kWeightTaps = 5;
// 54 GMAC/s where OpenBLAS reached 49, of 58, in the sizes of an autoencoder (Zen 4).
constexpr bool kGemmBeatsBlas = true;
// linear: 6 rows * 4 vectors of sums, 4 of weights, 1 input.
constexpr LinearBlock kLinearF32{4, 6}, kLinearBf16{4, 6}, kLinearS8{4, 6};
constexpr int kLinearSparseRows = 12;
constexpr NarrowBlock kLinearNarrow{12, 2};
// fused_conv2d: 24 sums, 4 vectors of pixels, 1 weight.
constexpr int kAccumulators = 24;
#elif CBNET_VECTOR_BYTES == 32
// 2 * 6 sums, 2 pixels, 1 weight; 5 * 2 sums, 2 taps, 1 gradient.
constexpr int kForwardVectors = 2, kForwardOutputs = 6, kWeightOutputs = 5, kWeightTaps = 2;
// No slower than OpenBLAS, and a pinned ISA stays pinned.
constexpr bool kGemmBeatsBlas = true;
// 6 rows * 2 vectors of sums, 2 of weights, 1 input; bf16 has two vectors a weight. Panels of one group are
// read from front to back, also where several rows leave no registers for two; bytes: 2 rows * 4 vectors of
// sums.
constexpr LinearBlock kLinearF32{1, 6}, kLinearBf16{1, 4}, kLinearS8{2, 2};
constexpr int kLinearSparseRows = 6;
constexpr NarrowBlock kLinearNarrow{12, 1};
constexpr int kAccumulators = 12;  // and 3 vectors of pixels, 1 weight
#elif CBNET_VECTOR_BYTES == 16
constexpr int kForwardVectors = 4, kForwardOutputs = 6, kWeightOutputs = 5, kWeightTaps = 5;
// OpenBLAS until the two have been measured on such a processor.
constexpr bool kGemmBeatsBlas = false;
constexpr LinearBlock kLinearF32{1, 6}, kLinearBf16{1, 5}, kLinearS8{1, 6};
constexpr int kLinearSparseRows = 6;
constexpr NarrowBlock kLinearNarrow{12, 2};
constexpr int kAccumulators = 24;
#else
// 2 * 6 sums, 2 pixels, 1 weight; 3 * 3 sums, 3 taps, 1 gradient.
constexpr int kForwardVectors = 2, kForwardOutputs = 6, kWeightOutputs = 3, kWeightTaps = 3;
// The plain loop nest, which is what forced scalar means.
constexpr bool kGemmBeatsBlas = true;
// 16 sums a group of outputs: one row at a time.
constexpr LinearBlock kLinearF32{1, 1}, kLinearBf16{1, 1}, kLinearS8{1, 1};
constexpr int kLinearSparseRows = 1;
constexpr NarrowBlock kLinearNarrow{1, 1};
constexpr int kAccumulators = 8;  // and 4 pixels, 1 weight
#endif

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
