// Vectors of f32 for the kernels of one ISA: included by isa/table.inc.h inside its own anonymous namespace
// after CBNET_VECTOR_BYTES is set (0: plain float). Nothing of std:: here, see
// tensor/cpu/kernels/conv2d_direct.inc.h.

#if defined(__clang__)
#define CBNET_UNROLL _Pragma("unroll")
#else
#define CBNET_UNROLL _Pragma("GCC unroll 32")
#endif

#if CBNET_VECTOR_BYTES
typedef float Vec __attribute__((vector_size(CBNET_VECTOR_BYTES)));
typedef int32_t VecInt __attribute__((vector_size(CBNET_VECTOR_BYTES)));
typedef float VecLoose __attribute__((vector_size(CBNET_VECTOR_BYTES), aligned(4), may_alias));
#else
typedef float Vec;
typedef int32_t VecInt;
typedef float VecLoose;
#endif

constexpr int64_t kLanes = CBNET_VECTOR_BYTES ? CBNET_VECTOR_BYTES / 4 : 1;

[[gnu::always_inline]] inline Vec load(const float* p) { return *reinterpret_cast<const VecLoose*>(p); }
[[gnu::always_inline]] inline void store(float* p, Vec v) { *reinterpret_cast<VecLoose*>(p) = v; }
// Half a vector, for rows that are shorter than one.
#if CBNET_VECTOR_BYTES
typedef float Half __attribute__((vector_size(CBNET_VECTOR_BYTES / 2)));
typedef float HalfLoose __attribute__((vector_size(CBNET_VECTOR_BYTES / 2), aligned(4), may_alias));
[[gnu::always_inline]] inline void store(float* p, Half v) { *reinterpret_cast<HalfLoose*>(p) = v; }
#else
typedef float Half;
typedef float HalfLoose;
#endif
template <class V>
[[gnu::always_inline]] inline V load_as(const float* p) {
  if constexpr (sizeof(V) == sizeof(Vec)) {
    return load(p);
  } else {
    return *reinterpret_cast<const HalfLoose*>(p);
  }
}

[[gnu::always_inline]] inline Vec broadcast(float x) { return x - Vec{}; }  // x - 0 is x: one load
// NaN in b stays NaN, NaN in a is dropped: one instruction.
[[gnu::always_inline]] inline Vec max(Vec a, Vec b) { return a > b ? a : b; }
// NaN in either stays NaN.
[[gnu::always_inline]] inline Vec max_keep_nan(Vec a, Vec b) { return a != a ? a : max(a, b); }
[[gnu::always_inline]] inline Vec relu(Vec x) { return max(Vec{}, x); }

/// 0, 1, 2, …
[[gnu::always_inline]] inline VecInt iota() {
#if CBNET_VECTOR_BYTES == 64
  return VecInt{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif CBNET_VECTOR_BYTES == 32
  return VecInt{0, 1, 2, 3, 4, 5, 6, 7};
#elif CBNET_VECTOR_BYTES == 16
  return VecInt{0, 1, 2, 3};
#else
  return 0;
#endif
}

/// Elements 0, 2, 4, … and 1, 3, 5, … of a followed by b.
[[gnu::always_inline]] inline Vec even(Vec a, Vec b) {
#if CBNET_VECTOR_BYTES == 64
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
#elif CBNET_VECTOR_BYTES == 32
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
#elif CBNET_VECTOR_BYTES == 16
  return __builtin_shufflevector(a, b, 0, 2, 4, 6);
#else
  static_cast<void>(b);
  return a;
#endif
}
[[gnu::always_inline]] inline Vec odd(Vec a, Vec b) {
#if CBNET_VECTOR_BYTES == 64
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif CBNET_VECTOR_BYTES == 32
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#elif CBNET_VECTOR_BYTES == 16
  return __builtin_shufflevector(a, b, 1, 3, 5, 7);
#else
  static_cast<void>(a);
  return b;
#endif
}

#if CBNET_VECTOR_BYTES
typedef uint32_t VecBits __attribute__((vector_size(CBNET_VECTOR_BYTES)));
#else
typedef uint32_t VecBits;
#endif

/// exp(x) for x <= 0 or NaN: 2^n e^r with n = round(x / ln 2), |r| <= ln(2) / 2, and e^r by its Taylor
/// polynomial of degree 7 (truncation 5e-9, below half an ulp). ln 2 is split so that n's part is exact. 0
/// below -87.
[[gnu::always_inline]] inline Vec exp_negative(Vec x) {
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to integers, kept in the low bits
  const Vec shifted = x * 1.44269504F + kRound;
  const Vec n = shifted - kRound;
  const Vec r = (x - n * 0.693359375F) - n * -2.12194440e-4F;
  Vec p = r * (1.0F / 5040.0F) + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const VecBits exponent = (__builtin_bit_cast(VecBits, shifted) - 0x4B400000U + 127U) << 23U;
  return x < -87.0F ? Vec{} : p * __builtin_bit_cast(Vec, exponent);
}

/// Of the lanes, as a tree of halves: their sum, and the largest.
[[gnu::always_inline]] inline float sum_lanes(Vec v) {
#if CBNET_VECTOR_BYTES
  float lanes[kLanes];
  store(lanes, v);
  CBNET_UNROLL for (int half = kLanes / 2; half > 0; half /= 2) {
    CBNET_UNROLL for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
#else
  return v;
#endif
}
[[gnu::always_inline]] inline float max_lanes(Vec v) {
#if CBNET_VECTOR_BYTES
  float lanes[kLanes];
  store(lanes, v);
  CBNET_UNROLL for (int half = kLanes / 2; half > 0; half /= 2) {
    CBNET_UNROLL for (int i = 0; i < half; ++i) lanes[i] =
        lanes[i] > lanes[i + half] ? lanes[i] : lanes[i + half];
  }
  return lanes[0];
#else
  return v;
#endif
}
