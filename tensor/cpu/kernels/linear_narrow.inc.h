#pragma once
// This part of linear.inc.h is for layers of few outputs, in f32. Lanes run along the inputs and every output
// has a sum of its own, so that no lane is spent on outputs that are not there:
//
//   weights   | o0: k0 … k15 | o1: k0 … k15 | … | o0: k16 … k31 | o1: k16 … k31 | …

#include "tensor/cpu/kernels/blocks.inc.h"
#include "tensor/cpu/kernels/linear_finish.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// Loads a vector of a row that has `left` elements more; lanes beyond its end are `rest`.
[[gnu::always_inline]] inline F32 load_or(const float* x, int64_t left, float rest) {
  if (left >= kLanesF32) return load(x);
  float lanes[kLanesF32];
  for (int i = 0; i < kLanesF32; ++i) lanes[i] = i < left ? x[i] : rest;
  return load(lanes);
}

template <int Outputs, int Rows>
[[gnu::noinline]] void narrow_block(const LinearCall& call, int64_t row) {
  const float* const x = static_cast<const float*>(call.x) + row * call.x_pitch;
  const float* w = static_cast<const float*>(call.weights);
  F32 sum[Rows][Outputs] = {};
  const auto add = [&](int64_t k, bool whole) __attribute__((always_inline)) {
    CBNET_UNROLL for (int v = 0; v < kVectors; ++v) {
      const int64_t at = k + v * kLanesF32;
      F32 inputs[Rows];
      CBNET_UNROLL for (int r = 0; r < Rows; ++r) {
        const float* const from = x + r * call.x_pitch + at;
        inputs[r] = whole ? load(from) : load_or(from, call.k_blocks - at, 0.0F);
      }
      CBNET_UNROLL for (int o = 0; o < Outputs; ++o) {
        const F32 weights = load(w + o * kLinearGroup + v * kLanesF32);
        CBNET_UNROLL for (int r = 0; r < Rows; ++r) sum[r][o] += weights * inputs[r];
      }
    }
    w += Outputs * kLinearGroup;
  };
  int64_t k = 0;
  for (; k + kLinearGroup <= call.k_blocks; k += kLinearGroup) add(k, true);
  if (k < call.k_blocks) add(k, false);

  alignas(64) float sums[Rows][kLinearGroup] = {};
  CBNET_UNROLL for (int r = 0; r < Rows; ++r) {
    CBNET_UNROLL for (int o = 0; o < Outputs; ++o) sums[r][o] = sum_lanes<float>(sum[r][o]);
  }
  linear_finish(call, &sums[0][0], Rows, 1, row, 0);
}

template <int Outputs>
void narrow_rows(const LinearCall& call) {
  int64_t row = 0;
  for (; row + kLinearNarrow.rows <= call.rows; row += kLinearNarrow.rows) {
    narrow_block<Outputs, kLinearNarrow.rows>(call, row);
  }
  for (; row < call.rows; ++row) narrow_block<Outputs, 1>(call, row);
}

template <int Outputs>
void narrow_outputs(const LinearCall& call) {
  if constexpr (Outputs > 1) {
    if (call.out < Outputs) return narrow_outputs<Outputs - 1>(call);
  }
  narrow_rows<Outputs>(call);
}

void linear_run_narrow(const LinearCall& call) { narrow_outputs<kLinearNarrow.outputs>(call); }

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
