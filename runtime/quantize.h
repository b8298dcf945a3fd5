#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/graph.h"

namespace cbnet::runtime {

/// Returns the upper half of x, rounded to nearest, ties to even. NaN stays NaN, what is beyond the largest
/// bf16 becomes infinity.
std::uint16_t to_bf16(float x);
float from_bf16(std::uint16_t x);

/// Returns the same layer in another precision. For bf16 each weight is rounded. int8 is symmetric, one scale
/// an output, the largest size of its weights / 127 (1 where all are zero), each weight rounded to nearest.
/// Weights that the mask leaves out count as zeros; bias and mask are copied. Throws std::invalid_argument:
/// `fp32` is not of precision fp32 or has another number of weights than in * out, or, for int8, a weight is
/// not finite.
LinearWeights convert(const LinearWeights& fp32, Precision precision);

/// Rounds a conv2d's weights to int8, as `convert` does: they become multiples of Node::scales.
void quantize_weights(Node& conv);

/// Returns scale and zero point for activations like `values`: of the ranges that hold everything, 99.99
/// %, 99.9 %, 99 % or 98 % of them (half of the rest cut off at each end), widened to hold 0, which becomes
/// an exact byte, the one whose bytes differ least from the values in the mean square. Throws
/// std::invalid_argument without values, or where one is not finite.
QuantParams calibrate(std::span<const float> values);

/// Returns the mean of the squares of what `params` makes of values, less values.
double quantization_error(std::span<const float> values, const QuantParams& params);

/// A matrix (out, in) is cut into blocks of block_out x block_in.
struct MatrixBlocks {
  std::int64_t out, in, block_out, block_in;
};

/// Returns which blocks of w (out, in) stay when this fraction of them, those whose weights are smallest in
/// the mean square, is left out: exactly floor(sparsity * blocks) are. Of equals, the first stay. Throws
/// std::invalid_argument: sizes below 1, w of another size, or sparsity outside 0 … 1.
BlockMask block_mask(std::span<const float> w, const MatrixBlocks& blocks, double sparsity);

/// Sets what the mask leaves out of w (out, in) to zero: after each step of a fine-tuning, say.
/// Throws std::invalid_argument: a mask or w of another size.
void apply_mask(const BlockMask& mask, std::span<float> w, std::int64_t out, std::int64_t in);

}  // namespace cbnet::runtime
