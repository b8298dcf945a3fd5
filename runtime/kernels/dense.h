#pragma once

#include <cstddef>
#include <cstdint>

// One fully connected layer over packed weights: y[m,o] = act(bias[o] + sum_k w[o,k] * x[m,k]).
//
// Packing: outputs stand in groups of kDenseGroup, side by side, and the inputs in steps of 1 (f32), 2 (bf16)
//          or 4 (s8). A panel is up to DenseTable::groups groups; in it, step by step and group by group, lie
//          the weights of the group's 16 outputs, so that one panel is read from front to back. Of a sparse
//          layer every panel is one group, and only the steps that its column list names are there.
//          In a step the inputs of an output stand together. Missing outputs and inputs are zeros.
//          Of a narrow layer (f32, few outputs): 16 inputs at a time, the weights of each output side by
//          side.
// Inputs : rows of f32, or of u8 for s8 weights, as many elements as the steps cover: made by `prepare`.
// Zeros  : steps whose inputs are zeros in all rows of a block are left out, with the reading of their
//          weights. Where weights are finite that changes no sum, though maybe its rounding.
// Threads: none inside. The order of summation depends on the layer, the number of rows and what is zero
//          only.

namespace cbnet::runtime {

enum class Activation : int { none, relu, leaky_relu, sigmoid, tanh };

namespace kernels {

constexpr int64_t kDenseGroup = 16;

enum class DenseKind : int { f32, bf16, s8 };

// Inputs that one step covers.
[[gnu::always_inline]] constexpr int64_t dense_step(DenseKind kind) {
  return kind == DenseKind::f32 ? 1 : kind == DenseKind::bf16 ? 2 : 4;
}

// Steps whose weights are asked for ahead of their use; and the elements of a block's list of steps: two
// counts before it.
constexpr int64_t kStepsAhead = 24;
[[gnu::always_inline]] constexpr int64_t dense_list(int64_t steps) { return 2 + steps + kStepsAhead; }

// The largest block of sums that a kernel keeps in registers.
struct DenseBlock {
  int groups, rows;
};
struct DenseNarrow {
  int outputs, rows;
};

// All that a kernel reads of a layer, and the rows of one call.
struct DenseCall {
  const void* weights;      // packed
  const int64_t* starts;    // sparse: steps before each group's, groups + 1 of them; null: every step
  const int32_t* columns;   // sparse: which steps
  const float* bias;        // of each output, zeros up to whole groups
  const float* multiplier;  // s8: what one unit of an output's sum is worth
  const int32_t* offset;    // s8: what the sum lacks: -zero point of x * sum of the weights
  int64_t out, steps;
  bool skips;  // steps of zeros may be left out

  Activation activation;
  float slope;  // of leaky_relu
  bool y_u8;    // y is u8: round(y * y_inverse_scale) + y_zero_point, within 0 ... 255
  float y_inverse_scale, y_zero_point;
  uint8_t* not_finite;  // y_u8: of each row, set to 1 where a number that no byte can hold was to be stored

  bool backwards;  // the panels from the last to the first: what of them is still in a cache is used first
  int64_t rows;
  int32_t* lists;  // not sparse: room for a list of each block of rows
  const void* x;
  int64_t x_pitch;  // elements
  void* y;
  int64_t y_pitch;
};

// From rows as the caller has them to rows as the kernels take them: `padded` elements, zeros at the end.
struct DenseInput {
  int64_t rows, in, padded;
  const void* x;
  int64_t x_pitch;
  bool x_u8;
  float scale, zero_point;  // real = scale * (x - zero_point)
  void* to;
  uint8_t* not_finite;  // bytes from f32: of each row, set to 1 where a number is not finite; or null
};

struct DenseTable {
  int groups[3];                                 // of a panel, at most, by DenseKind
  int rows[3];                                   // of a block, at most
  void (*run[3])(const DenseCall& call);         // by DenseKind
  void (*run_sparse[3])(const DenseCall& call);  // null for bf16
  int narrow;                                    // most outputs that run_narrow takes; 0: none
  void (*run_narrow)(const DenseCall& call);     // f32
  void (*prepare[3])(const DenseInput& input);
  // y[m,j] = factor * exp(x[m,j] - max_j x[m,j]) / sum_j exp(...); x and y may be the same.
  void (*softmax_rows)(const float* x, float* y, int64_t rows, int64_t n, int64_t x_pitch, int64_t y_pitch,
                       float factor);
};

}  // namespace kernels
}  // namespace cbnet::runtime
