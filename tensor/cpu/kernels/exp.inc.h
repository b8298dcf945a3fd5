#pragma once
// This file has exp, sigmoid and tanh of one number or of a vector of f32. The reference backend takes them
// from the C++ library (tensor/pointwise.def, `softmax` in tensor/reference/softmax.cpp).

#include "tensor/cpu/kernels/simd.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// Adding 1.5 * 2^23 leaves |v| < 2^22 rounded to an integer, ties to even, in the low bits of the sum.
constexpr float kRounding = 12582912.0F;

inline double exp_negative(double x) { return __builtin_exp(x); }

/// Returns exp(x) for x <= 0 or NaN: 2^n e^r with n = round(x / ln 2), |r| <= ln(2) / 2, and e^r by its
/// Taylor polynomial of degree 7 (truncation 5e-9, below half an ulp). ln 2 is split so that n's part is
/// exact. Below -87 it returns 0.
template <class F>
[[gnu::always_inline]] inline F exp_negative(F x) {
  constexpr bool kOne = sizeof(F) == sizeof(float);
  using Bits = typename SimdOf<uint32_t, kOne ? 0 : sizeof(F)>::type;
  const F shifted = x * 1.44269504F + kRounding;
  const F n = shifted - kRounding;
  const F r = (x - n * 0.693359375F) - n * -2.12194440e-4F;
  F p = r * (1.0F / 5040.0F) + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const F y = p * bits<F>((bits<Bits>(shifted) - bits<uint32_t>(kRounding) + 127U) << 23U);
  if constexpr (kOne) {
    // The mask is needed: a choice is compiled to a branch, and the loops around it to scalar code.
    return bits<float>(bits<uint32_t>(y) & (static_cast<uint32_t>(x < -87.0F) - 1U));
  } else {
    return x < -87.0F ? F{} : y;
  }
}

/// Returns 1 / (1 + exp(-x)) by e = exp(-|x|), which cannot overflow: e / (1 + e) for x < 0, else 1 / (1 +
/// e).
template <class F>
[[gnu::always_inline]] inline F sigmoid(F x) {
  const F one = F{} + 1.0F;
  const F e = exp_negative(x < F{} ? x : -x);  // NaN stays NaN
  return (x < F{} ? e : one) / (one + e);
}

/// Returns (1 - e) / (1 + e), e = exp(-2|x|), with the sign of x. Near 0, where that would cancel, the
/// polynomial interpolates (tanh(x) / x - 1) / x^2 in x^2.
[[gnu::always_inline]] inline F32 tanh(F32 x) {
  const U32 sign = bits<U32>(x) & 0x80000000U;
  const F32 size = bits<F32>(bits<U32>(x) ^ sign);
  const F32 e = exp_negative(size * -2.0F);
  const F32 far = (1.0F - e) / (1.0F + e);
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
