// Part of dense.inc.h: what one step of a layer's sums is, for each kind of weights.
//
// Weight and Input are as in memory; Wide is a vector's worth of weights in registers, Spread the inputs of
// the step, the same in every lane. One group's weights of a step take kGroupWeights elements.

struct StepF32 {
  using Weight = float;
  using Input = float;
  using Scalar = float;
  using Sum = F32;
  using Wide = F32;
  using Spread = F32;
  static constexpr int64_t kInputs = 1, kGroupWeights = kDenseGroup;

  [[gnu::always_inline]] static Wide widen(const Weight* group, int v) { return load(group + v * kLanes); }
  [[gnu::always_inline]] static Spread spread(const Input* x) { return fill(*x); }
  [[gnu::always_inline]] static void add(Sum& sum, Wide w, Spread x) { sum += w * x; }
};

// Two inputs' weights share 32 bits, so that a shift and a mask widen them.
struct StepBf16 {
  using Weight = uint16_t;
  using Input = float;
  using Scalar = float;
  using Sum = F32;
  struct Wide {
    F32 first, second;
  };
  struct Spread {
    F32 first, second;
  };
  static constexpr int64_t kInputs = 2, kGroupWeights = 2 * kDenseGroup;

  [[gnu::always_inline]] static Wide widen(const Weight* group, int v) {
    const U32 both = load(reinterpret_cast<const uint32_t*>(group) + v * kLanes);
    return {bits<F32>(both << 16), bits<F32>(both & 0xffff0000U)};
  }
  [[gnu::always_inline]] static Spread spread(const Input* x) { return {fill(x[0]), fill(x[1])}; }
  [[gnu::always_inline]] static void add(Sum& sum, const Wide& w, const Spread& x) {
    sum += w.first * x.first;
    sum += w.second * x.second;
  }
};

// Four inputs a step. vpmaddubsw would be shorter than widening, and saturates; every way here is exact.
#if defined(__AVX512VNNI__)
struct StepS8 {
  using Weight = int8_t;
  using Input = uint8_t;
  using Scalar = int32_t;
  using Sum = I32;
  using Wide = I32;
  using Spread = I32;
  static constexpr bool kPairs = false;
  static constexpr int64_t kInputs = 4, kGroupWeights = 4 * kDenseGroup;

  [[gnu::always_inline]] static Wide widen(const Weight* group, int v) {
    return load(reinterpret_cast<const int32_t*>(group) + v * kLanes);
  }
  [[gnu::always_inline]] static Spread spread(const Input* x) {
    int32_t four;
    __builtin_memcpy(&four, x, sizeof four);
    return four - I32{};
  }
  [[gnu::always_inline]] static void add(Sum& sum, Wide w, Spread x) {
    sum = bits<I32>(_mm512_dpbusd_epi32(bits<__m512i>(sum), bits<__m512i>(x), bits<__m512i>(w)));
  }
};
#elif CBNET_VECTOR_BYTES
struct StepS8 {
  using Weight = int8_t;
  using Input = uint16_t;
  using Scalar = int32_t;
  using Sum = I32;
  struct Wide {
    I32 first, second;  // of 16-bit pairs
  };
  struct Spread {
    I32 first, second;
  };
  static constexpr bool kPairs = true;
  static constexpr int64_t kInputs = 4, kGroupWeights = 4 * kDenseGroup;
  typedef int8_t Narrow __attribute__((vector_size(CBNET_VECTOR_BYTES / 2)));
  typedef int8_t NarrowLoose __attribute__((vector_size(CBNET_VECTOR_BYTES / 2), aligned(1), may_alias));
  typedef int16_t I16 __attribute__((vector_size(CBNET_VECTOR_BYTES)));

  [[gnu::always_inline]] static I32 widen_pairs(const Weight* w) {
    const Narrow narrow = *reinterpret_cast<const NarrowLoose*>(w);
    return bits<I32>(__builtin_convertvector(narrow, I16));
  }
  [[gnu::always_inline]] static Wide widen(const Weight* group, int v) {
    const Weight* const w = group + v * 2 * kLanes;
    return {widen_pairs(w), widen_pairs(w + 2 * kDenseGroup)};
  }
  [[gnu::always_inline]] static Spread spread(const Input* x) {
    int32_t pairs[2];
    __builtin_memcpy(pairs, x, sizeof pairs);
    return {pairs[0] - I32{}, pairs[1] - I32{}};
  }
  [[gnu::always_inline]] static I32 multiply_pairs(I32 a, I32 b) {
#if defined(__AVX512BW__)
    return bits<I32>(_mm512_madd_epi16(bits<__m512i>(a), bits<__m512i>(b)));
#elif defined(__AVX2__)
    return bits<I32>(_mm256_madd_epi16(bits<__m256i>(a), bits<__m256i>(b)));
#else  // NEON
    const int16x8_t p = bits<int16x8_t>(a), q = bits<int16x8_t>(b);
    return bits<I32>(vpaddq_s32(vmull_s16(vget_low_s16(p), vget_low_s16(q)), vmull_high_s16(p, q)));
#endif
  }
  [[gnu::always_inline]] static void add(Sum& sum, const Wide& w, const Spread& x) {
    sum += multiply_pairs(w.first, x.first) + multiply_pairs(w.second, x.second);
  }
};
#else
struct StepS8 {
  using Weight = int8_t;
  using Input = uint8_t;
  using Scalar = int32_t;
  using Sum = I32;
  using Wide = const int8_t*;
  using Spread = const uint8_t*;
  static constexpr bool kPairs = false;
  static constexpr int64_t kInputs = 4, kGroupWeights = 4 * kDenseGroup;

  [[gnu::always_inline]] static Wide widen(const Weight* group, int v) { return group + v * 4; }
  [[gnu::always_inline]] static Spread spread(const Input* x) { return x; }
  [[gnu::always_inline]] static void add(Sum& sum, Wide w, Spread x) {
    sum += w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3];
  }
};
#endif
