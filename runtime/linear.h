#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tensor/cpu/isa.h"
#include "tensor/cpu/kernels/isa_table.h"
#include "tensor/storage.h"

namespace cbnet::runtime {

using kernels::Activation;

enum class Precision : int { fp32, bf16, int8 };

const char* to_string(Precision precision);
/// Reads a precision's name; throws std::invalid_argument for another one.
Precision parse_precision(const std::string& name);

/// A real number r is a byte q: r = scale * (q - zero_point), q and zero_point within 0 … 255.
struct QuantParams {
  float scale = 1.0F;
  std::int32_t zero_point = 0;
};

/// A mask says which blocks of a weight matrix (out, in) are there: kept[(o / block_out) * columns + i /
/// block_in] != 0. Blocks at the right and lower edges may be cut short. An empty `kept` is no mask:
/// everything is there.
struct BlockMask {
  std::int64_t block_out = 0, block_in = 0;
  std::vector<std::uint8_t> kept;
};

/// These are the weights of one layer as a plan stores them: row-major (out, in), in one of three precisions.
struct LinearWeights {
  std::int64_t in = 0, out = 0;
  Precision precision = Precision::fp32;
  std::vector<float> fp32;          // if precision is fp32
  std::vector<std::uint16_t> bf16;  // the upper halves of f32
  std::vector<std::int8_t> int8;    // weight = scales[o] * int8[o][k]; -127 … 127
  std::vector<float> scales;        // int8: (out)
  std::vector<float> bias;          // (out), or empty: none
  BlockMask mask;                   // fp32: blocks of 16 x 1; int8: 16 x 4; bf16: none
};

/// A layer stands so in a plan. Layers with int8 weights take their input as bytes in any case: where it
/// comes as f32 it is rounded to `input` first.
struct LinearSpec {
  Activation activation = Activation::none;
  float slope = 0.01F;     // of leaky_relu
  bool input_u8 = false;   // x is u8 with the meaning of `input`, else f32
  bool output_u8 = false;  // y is u8 with the meaning of `output`, else f32
  QuantParams input{}, output{};
};

/// Throws std::invalid_argument: sizes below 1 or weights, scales, bias or mask of another size; blocks that
/// the precision has no kernel for; scales that are not positive and finite; zero points outside 0 … 255;
/// int8 weights of -128; int8 with in > 65,000, where a sum could leave 32 bits.
void check(const LinearWeights& weights, const LinearSpec& spec);

/// A call of a layer has these rows: x (rows, in) and y (rows, out), pitches in elements; they must not
/// overlap.
struct LinearRows {
  const void* x = nullptr;
  std::int64_t x_pitch = 0;
  void* y = nullptr;
  std::int64_t y_pitch = 0;
  std::int64_t rows = 0;
  void* scratch = nullptr;
  /// The weights are walked over the other way, which changes no bit of y: where calls alternate, what the
  /// last one left in a cache is used first.
  bool backwards = false;
  /// (rows) or null: set to 1 where a row has met a number that is not finite and that was to become a byte,
  /// so that y holds no answer; other elements stay.
  std::uint8_t* not_finite = nullptr;
};

/// Computes y[m,o] = act(bias[o] + sum_k w[o,k] x[m,k]): one linear layer, its weights packed for one ISA.
/// Immutable, and cheap to copy: copies share the weights.
///
/// Sums are f32 (fp32 and bf16 weights), or exact 32-bit integers (int8), the same on every ISA. Inputs that
/// are zero are left out with the reading of their weights, where that cannot hide a weight that is not
/// finite: time depends on them, and so do the last bits of f32 sums.
class LinearLayer {
 public:
  /// Throws std::invalid_argument where check() does, and for an ISA that is not available.
  LinearLayer(const LinearWeights& weights, const LinearSpec& spec, Isa isa = active_isa());

  std::int64_t in() const { return in_; }
  std::int64_t out() const { return out_; }

  /// Returns the bytes of scratch, 64-byte aligned, that `run` needs for this many rows; 0: none.
  std::size_t scratch_bytes(std::int64_t rows) const;

  /// Computes y of x. Throws std::invalid_argument on a negative count, a short pitch or a missing pointer.
  void run(const LinearRows& call) const;

 private:
  struct Packed;
  std::int64_t prepared_bytes(std::int64_t rows) const;
  std::int64_t row_blocks(std::int64_t rows) const;  // that list the K-blocks they take

  std::int64_t in_, out_, padded_ = 0;
  bool always_finite_ = false;  // whatever the input, which is bytes
  bool prepared_ = false;       // x is brought into scratch before the kernel runs
  bool x_u8_;
  QuantParams input_;
  kernels::LinearKind kind_;
  const kernels::LinearTable* table_;
  std::shared_ptr<const Packed> packed_;
  kernels::LinearCall call_{};
};

/// Computes y[m] = softmax(x[m]) over rows of n f32 elements; x and y may be the same rows.
/// A row of -inf, or with NaN or +inf, gives NaN.
void softmax_rows(const kernels::SoftmaxRows& rows, Isa isa = active_isa());

}  // namespace cbnet::runtime
