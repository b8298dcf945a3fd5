#pragma once
// exp, sigmoid and tanh, of one number or of a vector of them.

#include "tensor/cpu/kernels/simd.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

inline double exp_negative(double x) { return __builtin_exp(x); }

/// exp(x) for x <= 0 or NaN: 2^n e^r with n = round(x / ln 2), |r| <= ln(2) / 2, and e^r by its Taylor
/// polynomial of degree 7 (truncation 5e-9, below half an ulp). ln 2 is split so that n's part is exact. 0
/// below -87.
template <class F>
[[gnu::always_inline]] inline F exp_negative(F x) {
  constexpr bool kOne = sizeof(F) == sizeof(float);
  using Bits = typename SimdOf<uint32_t, kOne ? 0 : sizeof(F)>::type;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to integers, kept in the low bits
  const F shifted = x * 1.44269504F + kRound;
  const F n = shifted - kRound;
  const F r = (x - n * 0.693359375F) - n * -2.12194440e-4F;
  F p = r * (1.0F / 5040.0F) + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const F y = p * bits<F>((bits<Bits>(shifted) - 0x4B400000U + 127U) << 23U);
  if constexpr (kOne) {
    // As a mask: a choice is compiled to a branch, and the loops around it to scalar code.
    return bits<float>(bits<uint32_t>(y) & (static_cast<uint32_t>(x < -87.0F) - 1U));
  } else {
    return x < -87.0F ? F{} : y;
  }
}

// Written so that NaN in v stays NaN, or becomes `low` in the second.
[[gnu::always_inline]] inline F32 clamp_keep_nan(F32 v, float low, float high) {
  v = v < low ? broadcast(low) : v;
  return v > high ? broadcast(high) : v;
}
[[gnu::always_inline]] inline F32 clamp_drop_nan(F32 v, float low, float high) {
  v = v > low ? v : broadcast(low);
  return v < high ? v : broadcast(high);
}

// Adding 1.5 * 2^23 leaves |v| < 2^22 rounded to an integer, ties to even, in the low bits of the sum.
constexpr float kRounding = 12582912.0F;

// exp(x) = 2^n exp(r), r = x - n ln 2 in two parts, n ln 2's first part exact for every n here. The
// polynomial interpolates (exp(r) - 1 - r) / r^2 at Chebyshev nodes, 8e-9 off relative to exp.
struct ExpParts {
  F32 of_r;
  I32 shifted;  // n + kRounding's bits
};
[[gnu::always_inline]] inline ExpParts exp_parts(F32 x) {
  const F32 shifted = x * 1.44269504F + kRounding;
  const F32 n = shifted - kRounding;
  const F32 r = (x - n * 0.693359375F) - n * -2.12194440e-4F;
  F32 p = r * 0.00139262034F + 0.00836319488F;
  p = p * r + 0.0416665545F;
  p = p * r + 0.166665769F;
  p = p * r + 0.5F;
  return {(p * r) * r + r + 1.0F, bits<I32>(shifted)};
}

// 2^n goes in two halves, so that results below 2^-126 and beyond the largest float come out as they should.
[[gnu::always_inline]] inline F32 exp(F32 x) {
  const ExpParts parts = exp_parts(clamp_keep_nan(x, -104.0F, 89.0F));
  const I32 power = parts.shifted - bits<int32_t>(kRounding);
  const I32 half = power >> 1;
  return parts.of_r * bits<F32>((half + 127) << 23) * bits<F32>((power - half + 127) << 23);
}

// 1 / (1 + exp(-x)), 0 from -87 down, where 2e-38 is left. In between 2^n is an addition to the exponent.
[[gnu::always_inline]] inline F32 sigmoid(F32 x) {
  const F32 minus = -x;
  const ExpParts parts = exp_parts(minus < -87.0F ? broadcast(-87.0F) : minus);
  const F32 y = 1.0F / (1.0F + bits<F32>(bits<U32>(parts.of_r) + (bits<U32>(parts.shifted) << 23)));
  return x < -87.0F ? F32{} : y;
}

// Near 0, where 1 - 2 / (exp(2x) + 1) would cancel, the polynomial interpolates (tanh(x) / x - 1) / x^2 in
// x^2.
[[gnu::always_inline]] inline F32 tanh(F32 x) {
  const U32 sign = bits<U32>(x) & 0x80000000U;
  const F32 size = bits<F32>(bits<U32>(x) ^ sign);
  const F32 far = 1.0F - 2.0F / (exp(size + size) + 1.0F);
  const F32 u = x * x;
  F32 p = u * -0.00609671416F + 0.020997179F;
  p = p * u + -0.0538509096F;
  p = p * u + 0.133327697F;
  p = p * u + -0.333333289F;
  const F32 near = (p * u) * size + size;
  const F32 y = size < 0.625F ? near : far;
  return bits<F32>(bits<U32>(y) | sign);
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
