// exp for kernels, included inside their anonymous namespace.

inline double exp_negative(double x) { return __builtin_exp(x); }

// exp(x) for x <= 0 or NaN: 2^n e^r with n = round(x / ln 2), |r| <= ln(2) / 2, and e^r by its Taylor
// polynomial of degree 7 (truncation 5e-9, below half an ulp). ln 2 is split so that n's part is exact.
inline float exp_negative(float x) {
  constexpr float kLog2E = 1.44269504F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to integers, kept in the low bits
  const float shifted = x * kLog2E + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const auto bits = __builtin_bit_cast(unsigned, shifted) - __builtin_bit_cast(unsigned, kRound);
  const float y = p * __builtin_bit_cast(float, (bits + 127U) << 23U);
  // x < -87 ? 0 : y, as a mask: a choice is compiled to a branch, and the loops around it to scalar code.
  return __builtin_bit_cast(float,
                            __builtin_bit_cast(unsigned, y) & (static_cast<unsigned>(x < -87.0F) - 1U));
}
