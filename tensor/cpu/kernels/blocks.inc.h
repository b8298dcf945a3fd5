#pragma once
// This file says how many sums a kernel holds in registers, by the width of a vector. A block's sums, the
// operands of one side and one of the other must fit: AVX-512 and Advanced SIMD have 32 registers, AVX2 and
// SSE2 16. A block of 2 outputs by 3 vectors of pixels, for example, takes 6 + 3 + 1:
//
//                   | pixels  | pixels  | pixels  |
//      weight of o0 | sum     | sum     | sum     |     every product of a row's weight and a column's pixels
//      weight of o1 | sum     | sum     | sum     |     is added to the sum where they meet

#include "tensor/cpu/kernels/linear.h"
#include "tensor/cpu/kernels/simd.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

#if CBNET_VECTOR_BYTES == 64
// conv2d_direct, conv2d_lanes and gemm hold 4 * 6 sums, 4 pixels, 1 weight; gradients of weights 5 * 5 sums,
// 5 taps, 1 gradient.
constexpr int kForwardVectors = 4, kForwardOutputs = 6, kWeightOutputs = 5, kWeightTaps = 5;
// It reached 54 GMAC/s where OpenBLAS reached 49, of 58, in the sizes of an autoencoder (Zen 4).
constexpr bool kGemmBeatsBlas = true;
// linear holds 6 rows * 4 vectors of sums, 4 of weights, 1 input.
constexpr LinearBlock kLinearF32{4, 6}, kLinearBf16{4, 6}, kLinearS8{4, 6};
constexpr int kLinearSparseRows = 12;
constexpr NarrowBlock kLinearNarrow{12, 2};
// fused_conv2d holds 24 sums, 4 vectors of pixels, 1 weight.
constexpr int kAccumulators = 24;
#elif CBNET_VECTOR_BYTES == 32
// Blocks are 2 * 6 sums, 2 pixels, 1 weight; 5 * 2 sums, 2 taps, 1 gradient.
constexpr int kForwardVectors = 2, kForwardOutputs = 6, kWeightOutputs = 5, kWeightTaps = 2;
// It is no slower than OpenBLAS, and a pinned ISA stays pinned.
constexpr bool kGemmBeatsBlas = true;
// linear holds 6 rows * 2 vectors of sums, 2 of weights, 1 input; bf16 has two vectors a weight. Panels of
// one group are read from front to back, also where several rows leave no registers for two; bytes have 2
// rows * 4 vectors of sums.
constexpr LinearBlock kLinearF32{1, 6}, kLinearBf16{1, 4}, kLinearS8{2, 2};
constexpr int kLinearSparseRows = 6;
constexpr NarrowBlock kLinearNarrow{12, 1};
constexpr int kAccumulators = 12;  // and 3 vectors of pixels, 1 weight
#elif CBNET_VECTOR_BYTES == 16
constexpr int kForwardVectors = 4, kForwardOutputs = 6, kWeightOutputs = 5, kWeightTaps = 5;
// OpenBLAS is taken until the two have been measured on such a processor.
constexpr bool kGemmBeatsBlas = false;
constexpr LinearBlock kLinearF32{1, 6}, kLinearBf16{1, 5}, kLinearS8{1, 6};
constexpr int kLinearSparseRows = 6;
constexpr NarrowBlock kLinearNarrow{12, 2};
constexpr int kAccumulators = 24;
#else
// Blocks are 2 * 6 sums, 2 pixels, 1 weight; 3 * 3 sums, 3 taps, 1 gradient.
constexpr int kForwardVectors = 2, kForwardOutputs = 6, kWeightOutputs = 3, kWeightTaps = 3;
// The plain loop nest is what forced scalar means.
constexpr bool kGemmBeatsBlas = true;
// A group of outputs takes 16 sums, so rows come one at a time.
constexpr LinearBlock kLinearF32{1, 1}, kLinearBf16{1, 1}, kLinearS8{1, 1};
constexpr int kLinearSparseRows = 1;
constexpr NarrowBlock kLinearNarrow{1, 1};
constexpr int kAccumulators = 8;  // and 4 pixels, 1 weight
#endif

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
