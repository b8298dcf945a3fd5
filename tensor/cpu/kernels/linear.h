#pragma once

#include <cstddef>
#include <cstdint>

// The kernels compute a linear layer over packed weights: y[m,o] = act(bias[o] + sum_k w[o,k] * x[m,k]).
// `gemm` in tensor/reference/products.cpp defines the product, tensor/pointwise.def the activations.
//
// Packing: outputs stand in groups of kLinearGroup side by side, inputs in K-blocks of 1 (f32), 2 (bf16) or
//          4 (s8). A panel is up to LinearTable::groups groups; in it lie, K-block by K-block and group by
//          group, the weights of the group's 16 outputs, so that one panel is read from front to back.
//          Missing outputs and inputs are zeros.
//
//            a panel of 2 groups, s8:   K-block 0                          K-block 1
//                                       | group 0         | group 1       | group 0 …
//                                       | o0: k0 k1 k2 k3 | o16: k0 … k3  | o0: k4 k5 k6 k7
//                                       | o1: k0 k1 k2 k3 | …             | …
//
//          Of a sparse layer every panel is one group, and only the K-blocks that its column list names are
//          there. Of a narrow layer (f32, few outputs): 16 inputs at a time, the weights of each output side
//          by side.
// Inputs : rows of f32, or of u8 for s8 weights, as many elements as the K-blocks cover: made by `prepare`.
// Zeros  : K-blocks whose inputs are zeros in all rows of a block of sums are left out, with the reading of
//          their weights. Where weights are finite that changes no sum, though maybe its rounding.
// Threads: none inside. The order of summation depends only on the layer, the number of rows and what is
// zero.

namespace cbnet::kernels {

enum class Activation : int { none, relu, leaky_relu, sigmoid, tanh };

constexpr int64_t kLinearGroup = 16;

enum class LinearKind : int { f32, bf16, s8 };

// Returns how many inputs one K-block covers.
[[gnu::always_inline]] constexpr int64_t inputs_per_k_block(LinearKind kind) {
  return kind == LinearKind::f32 ? 1 : kind == LinearKind::bf16 ? 2 : 4;
}

// A block of rows takes these K-blocks: `count` of them, the first `low` of them as KBlock::Low does.
struct KBlockList {
  const int32_t* columns;
  int64_t count, low;
};
// K-blocks whose weights are asked for ahead of their use, and what a list needs room for.
constexpr int64_t kBlocksAhead = 24;
[[gnu::always_inline]] constexpr int64_t list_columns(int64_t k_blocks) { return k_blocks + kBlocksAhead; }

// A kernel keeps a block of sums of at most this size in registers.
struct LinearBlock {
  int groups, rows;
};
struct NarrowBlock {
  int outputs, rows;
};

// A kernel reads no more of a layer than this, and of the rows of one call.
struct LinearCall {
  const void* weights;      // packed
  const int64_t* starts;    // sparse: K-blocks before each group's, groups + 1 of them; null: every K-block
  const int32_t* columns;   // sparse: which K-blocks
  const float* bias;        // of each output, zeros up to whole groups
  const float* multiplier;  // s8: what one unit of an output's sum is worth
  const int32_t* offset;    // s8: what the sum lacks: -zero point of x * sum of the weights
  int64_t out, k_blocks;
  bool skips;  // K-blocks of zeros may be left out

  Activation activation;
  float slope;  // of leaky_relu
  bool y_u8;    // y is u8: round(y * y_inverse_scale) + y_zero_point, within 0 ... 255
  float y_inverse_scale, y_zero_point;
  uint8_t* not_finite;  // y_u8: of each row, set to 1 where a number that no byte can hold was to be stored

  bool backwards;  // the panels from the last to the first: what of them is still in a cache is used first
  int64_t rows;
  KBlockList* lists;      // not sparse: room for a list of each block of rows
  int32_t* list_columns;  // and for what they name
  const void* x;
  int64_t x_pitch;  // elements
  void* y;
  int64_t y_pitch;
};

// Copies rows as the caller has them to rows as the kernels take them: `padded` elements, zeros at the end.
struct LinearInput {
  int64_t rows, in, padded;
  const void* x;
  int64_t x_pitch;
  bool x_u8;
  float scale, zero_point;  // real = scale * (x - zero_point)
  void* to;
  uint8_t* not_finite;  // bytes from f32: of each row, set to 1 where a number is not finite; or null
};

// Rows of n numbers, pitches in elements.
struct SoftmaxRows {
  const float* x;
  int64_t x_pitch;
  float* y;
  int64_t y_pitch;
  int64_t rows, n;
};

struct LinearTable {
  int groups[3];                                  // of a panel, at most, by LinearKind
  int rows[3];                                    // of a block, at most
  void (*run[3])(const LinearCall& call);         // by LinearKind
  void (*run_sparse[3])(const LinearCall& call);  // null for bf16
  int narrow;                                     // max outputs that run_narrow takes; 0: none
  void (*run_narrow)(const LinearCall& call);     // f32
  void (*prepare[3])(const LinearInput& input);
  // computes y[m,j] = exp(x[m,j] - max_j x[m,j]) / sum_j exp(...); x and y may be the same. `softmax` in
  // tensor/reference/softmax.cpp defines it.
  void (*softmax_rows)(const SoftmaxRows& rows);
};

}  // namespace cbnet::kernels
