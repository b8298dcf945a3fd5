#pragma once
// This part of linear.inc.h makes rows of inputs as the kernels take them, and softmax over rows:
//
//   as given   | x: `in` elements, f32 or u8 |               rows x_pitch apart
//   as taken   | x, f32 or u8 | zeros up to `padded` |       row after row

#include "tensor/cpu/kernels/linear_narrow.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

template <class From>
[[gnu::always_inline]] inline float as_float(From q, float scale, float zero_point) {
  return (static_cast<float>(q) - zero_point) * scale;
}

[[gnu::always_inline]] inline uint32_t as_byte(float x, float inverse_scale, float zero_point) {
  float q = x * inverse_scale + zero_point;
  q = q > 0.0F ? q : 0.0F;  // NaN too
  q = q < 255.0F ? q : 255.0F;
  return bits<uint32_t>(q + kRounding) & 0xffU;
}

template <class To>
void linear_prepare(const LinearInput& input) {
  const float inverse_scale = 1.0F / input.scale;
  const int64_t in = input.in;
  for (int64_t r = 0; r < input.rows; ++r) {
    To* const to = static_cast<To*>(input.to) + r * input.padded;
    if (input.x_u8) {
      const uint8_t* const x = static_cast<const uint8_t*>(input.x) + r * input.x_pitch;
      for (int64_t i = 0; i < in; ++i) {
        if constexpr (sizeof(To) == sizeof(float)) {
          to[i] = as_float(x[i], input.scale, input.zero_point);
        } else {
          to[i] = x[i];
        }
      }
    } else {
      const float* const x = static_cast<const float*>(input.x) + r * input.x_pitch;
      uint32_t largest = 0;  // of the sizes, as bits
      for (int64_t i = 0; i < in; ++i) {
        if constexpr (sizeof(To) == 1) {
          const uint32_t size = bits<uint32_t>(x[i]) & 0x7fffffffU;
          largest = largest > size ? largest : size;
        }
        if constexpr (sizeof(To) == sizeof(float)) {
          to[i] = x[i];
        } else {
          to[i] = static_cast<To>(as_byte(x[i], inverse_scale, input.zero_point));
        }
      }
      if (input.not_finite != nullptr && largest >= kNotFinite) input.not_finite[r] = 1;
    }
    for (int64_t i = in; i < input.padded; ++i) to[i] = To(0);
  }
}

[[gnu::always_inline]] inline void store_part(float* y, int64_t left, F32 v) {
  if (left >= kLanesF32) return store(y, v);
  float lanes[kLanesF32];
  store(lanes, v);
  for (int i = 0; i < left; ++i) y[i] = lanes[i];
}

void softmax_rows(const SoftmaxRows& call) {
  const int64_t n = call.n;
  const float* x = call.x;
  float* y = call.y;
  const float low = -__builtin_inff();
  for (int64_t r = 0; r < call.rows; ++r, x += call.x_pitch, y += call.y_pitch) {
    F32 tops = broadcast(low);
    for (int64_t i = 0; i < n; i += kLanesF32) {
      const F32 v = load_or(x + i, n - i, low);
      tops = v > tops ? v : tops;
    }
    const float top = max_lanes(tops);

    F32 sums = {};
    for (int64_t i = 0; i < n; i += kLanesF32) {
      const F32 e = exp_negative(load_or(x + i, n - i, low) - top);
      store_part(y + i, n - i, e);
      sums += e;
    }
    const float unit = 1.0F / sum_lanes<float>(sums);
    for (int64_t i = 0; i < n; i += kLanesF32) store_part(y + i, n - i, load_or(y + i, n - i, 0.0F) * unit);
  }
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
