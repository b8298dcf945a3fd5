#pragma once
// This part of linear.inc.h adds one K-block to a layer's sums, for each kind of weights. One group's weights
// of a K-block take kGroupWeights elements:
//
//   f32    | o0: k0          | o1: k0          | … | o15: k0 |             x: k0 in every lane
//   bf16   | o0: k0 k1       | o1: k0 k1       | … | o15: k0 k1 |          x: k0, and k1, in every lane
//   s8     | o0: k0 k1 k2 k3 | o1: k0 k1 k2 k3 | … | o15: k0 k1 k2 k3 |    x: k0 k1 k2 k3 in every lane
//
// Weight and Input are as in memory; Wide is a vector's worth of weights in registers, Spread the inputs of
// the K-block, the same in every lane. Low is how the first K-blocks of a list are taken (list_k_blocks).

#include "tensor/cpu/kernels/blocks.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

struct KBlockF32 {
  using Low = KBlockF32;
  static constexpr LinearBlock kBlock = kLinearF32;
  using Weight = float;
  using Input = float;
  using Scalar = float;
  using Sum = F32;
  using Wide = F32;
  using Spread = F32;
  static constexpr int64_t kInputs = 1, kGroupWeights = kLinearGroup;

  [[gnu::always_inline]] static Wide widen(const Weight* group, int v) { return load(group + v * kLanesF32); }
  [[gnu::always_inline]] static Spread spread(const Input* x) { return broadcast(*x); }
  [[gnu::always_inline]] static void add(Sum& sum, Wide w, Spread x) { sum += w * x; }
};

// Two inputs' weights share 32 bits, so that a shift and a mask widen them.
struct KBlockBf16 {
  using Low = KBlockBf16;
  static constexpr LinearBlock kBlock = kLinearBf16;
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
  static constexpr int64_t kInputs = 2, kGroupWeights = 2 * kLinearGroup;

  [[gnu::always_inline]] static Wide widen(const Weight* group, int v) {
    U32 both = load(reinterpret_cast<const uint32_t*>(group) + v * kLanesF32);
#if CBNET_VECTOR_BYTES && defined(__x86_64__)
    asm("" : "+v"(both));  // or GCC loads it once for each half
#endif
    return {bits<F32>(both << 16), bits<F32>(both & 0xffff0000U)};
  }
  [[gnu::always_inline]] static Spread spread(const Input* x) { return {broadcast(x[0]), broadcast(x[1])}; }
  [[gnu::always_inline]] static void add(Sum& sum, const Wide& w, const Spread& x) {
    sum += w.first * x.first;
    sum += w.second * x.second;
  }
};

// A K-block has four inputs, those of one output side by side.
struct BytesS8 {
  static constexpr LinearBlock kBlock = kLinearS8;
  using Weight = int8_t;
  using Input = uint8_t;
  using Scalar = int32_t;
  using Sum = I32;
  static constexpr int64_t kInputs = 4, kGroupWeights = 4 * kLinearGroup;
#if CBNET_VECTOR_BYTES
  using Wide = I32;
  [[gnu::always_inline]] static Wide widen(const Weight* group, int v) {
    return load(reinterpret_cast<const int32_t*>(group) + v * kLanesF32);
  }
  typedef int32_t Four __attribute__((aligned(1), may_alias));
  [[gnu::always_inline]] static I32 four(const Input* x) { return *reinterpret_cast<const Four*>(x) - I32{}; }
  // Returns a K-block for each lane.
  [[gnu::always_inline]] static I32 fours(const Input* x) {
    return load(reinterpret_cast<const int32_t*>(x));
  }
#endif
};

#if defined(__AVX512VNNI__)
struct KBlockS8 : BytesS8 {
  using Low = KBlockS8;
  using Spread = I32;
  [[gnu::always_inline]] static Spread spread(const Input* x) { return four(x); }
  [[gnu::always_inline]] static Spread lanes(const Input* x) { return fours(x); }
  [[gnu::always_inline]] static void add(Sum& sum, Wide w, Spread x) {
    sum = bits<I32>(_mm512_dpbusd_epi32(bits<__m512i>(sum), bits<__m512i>(x), bits<__m512i>(w)));
  }
};
#elif CBNET_VECTOR_BYTES
// Where no input has its top bit set: vpmaddubsw adds two products of bytes in 16 bits and saturates, but not
// at factors up to 127, which vmull_s8 takes for positive.
struct LowS8 : BytesS8 {
  using Spread = I32;
  [[gnu::always_inline]] static Spread spread(const Input* x) { return four(x); }
  [[gnu::always_inline]] static void add(Sum& sum, Wide w, Spread x) { sum += products<1>(w, x); }

  // Returns the sum of a lane's four products, `Times` times.
  template <int Times>
  [[gnu::always_inline]] static I32 products(I32 w, I32 x) {
#if defined(__AVX512BW__)
    const __m512i two = _mm512_maddubs_epi16(bits<__m512i>(x), bits<__m512i>(w));
    return bits<I32>(_mm512_madd_epi16(two, _mm512_set1_epi16(Times)));
#elif defined(__AVX2__)
    const __m256i two = _mm256_maddubs_epi16(bits<__m256i>(x), bits<__m256i>(w));
    return bits<I32>(_mm256_madd_epi16(two, _mm256_set1_epi16(Times)));
#elif defined(__ARM_NEON)
    const int8x16_t a = bits<int8x16_t>(w), b = bits<int8x16_t>(x);
    const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)));
    const int32x4_t high = vpaddlq_s16(vmull_high_s8(a, b));
    return bits<I32>(vpaddq_s32(low, high)) * Times;
#endif
  }
};

// Others are taken by their low seven bits and the top one apart. They come behind those, and cost twice as
// much.
struct KBlockS8 : LowS8 {
  using Low = LowS8;
  struct Spread {
    I32 low, top;
  };
  [[gnu::always_inline]] static Spread spread(const Input* x) { return split(four(x)); }
  [[gnu::always_inline]] static Spread lanes(const Input* x) { return split(fours(x)); }
  [[gnu::always_inline]] static Spread split(I32 all) {
    return {all & 0x7f7f7f7f, bits<I32>(bits<U32>(all) >> 7) & 0x01010101};
  }
  [[gnu::always_inline]] static void add(Sum& sum, Wide w, const Spread& x) {
    sum += products<1>(w, x.low);
    sum += products<128>(w, x.top);
  }
};
#else
struct KBlockS8 : BytesS8 {
  using Low = KBlockS8;
  using Wide = const int8_t*;
  using Spread = const uint8_t*;
  [[gnu::always_inline]] static Wide widen(const Weight* group, int v) { return group + v * 4; }
  [[gnu::always_inline]] static Spread spread(const Input* x) { return x; }
  [[gnu::always_inline]] static Spread lanes(const Input* x) { return x; }
  [[gnu::always_inline]] static void add(Sum& sum, Wide w, Spread x) {
    sum += w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3];
  }
};
#endif

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
