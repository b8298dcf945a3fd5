#pragma once
// This part of linear.inc.h makes outputs of sums: scale, bias, activation, and rounding to bytes.

#include "tensor/cpu/kernels/exp.inc.h"
#include "tensor/cpu/kernels/linear.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

constexpr int kVectors = kLinearGroup / kLanesF32;  // that make one group

#if CBNET_VECTOR_BYTES
[[gnu::always_inline]] inline F32 to_float(I32 v) { return __builtin_convertvector(v, F32); }
#else
[[gnu::always_inline]] inline F32 to_float(I32 v) { return static_cast<float>(v); }
#endif

[[gnu::always_inline]] inline F32 scaled(const LinearCall& call, const float* sums, int64_t at) {
  return load(sums) + load(call.bias + at);
}
[[gnu::always_inline]] inline F32 scaled(const LinearCall& call, const int32_t* sums, int64_t at) {
  return to_float(load(sums) + load(call.offset + at)) * load(call.multiplier + at) + load(call.bias + at);
}

template <Activation Kind>
[[gnu::always_inline]] inline F32 activate(F32 v, float slope) {
  if constexpr (Kind == Activation::relu) return v < 0.0F ? F32{} : v;  // NaN stays
  if constexpr (Kind == Activation::leaky_relu) return v < 0.0F ? v * slope : v;
  if constexpr (Kind == Activation::sigmoid) return sigmoid(v);
  if constexpr (Kind == Activation::tanh) return tanh(v);
  return v;
}

// Stores the low bytes of the lanes.
[[gnu::always_inline]] inline void store_bytes(uint8_t* p, U32 v) {
#if defined(__AVX512F__)
  // Unmasked, the intrinsic of GCC 12 warns of a variable of its own.
  const __m128i low = _mm512_maskz_cvtepi32_epi8(static_cast<__mmask16>(-1), bits<__m512i>(v));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), low);
#elif defined(__AVX2__)
  const __m256i low = bits<__m256i>(v & 0xffU);
  const __m128i pairs = _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(pairs, pairs));
#elif CBNET_VECTOR_BYTES
  for (int i = 0; i < kLanesF32; ++i) p[i] = static_cast<uint8_t>(v[i]);
#else
  *p = static_cast<uint8_t>(v);
#endif
}

template <class T>
[[gnu::always_inline]] inline void store_outputs(T* to, const T* from, int64_t count) {
  if (count >= kLinearGroup) {
    __builtin_memcpy(to, from, kLinearGroup * sizeof(T));
  } else {
    for (int64_t i = 0; i < count; ++i) to[i] = from[i];
  }
}

// The bits of a number's size are kNotFinite at least where it is not finite.
constexpr uint32_t kNotFinite = 0x7f800000U;
[[gnu::always_inline]] inline bool has_not_finite(const F32* y) {
  U32 largest{};
  CBNET_UNROLL for (int v = 0; v < kVectors; ++v) {
    const U32 size = bits<U32>(y[v]) & 0x7fffffffU;
    largest = largest > size ? largest : size;
  }
#if CBNET_VECTOR_BYTES
  uint32_t all = 0;
  CBNET_UNROLL for (int i = 0; i < kLanesF32; ++i) all |= largest[i] >= kNotFinite ? 1U : 0U;
  return all != 0;
#else
  return largest >= kNotFinite;
#endif
}

template <Activation Kind, class Sum>
[[gnu::noinline]] void linear_finish_as(const LinearCall& call, const Sum* sums, int rows, int groups,
                                        int64_t row, int64_t group) {
  for (int r = 0; r < rows; ++r) {
    for (int g = 0; g < groups; ++g, sums += kLinearGroup) {
      const int64_t at = (group + g) * kLinearGroup, to = (row + r) * call.y_pitch + at;
      F32 y[kVectors];
      CBNET_UNROLL for (int v = 0; v < kVectors; ++v) {
        y[v] = activate<Kind>(scaled(call, sums + v * kLanesF32, at + v * kLanesF32), call.slope);
      }
      if (call.y_u8) {
        uint8_t q[kLinearGroup];
        CBNET_UNROLL for (int v = 0; v < kVectors; ++v) {
          const F32 real = y[v] * call.y_inverse_scale + call.y_zero_point;
          const F32 low = real > 0.0F ? real : F32{};  // NaN becomes 0
          const F32 stored = low < 255.0F ? low : broadcast(255.0F);
          store_bytes(q + v * kLanesF32, bits<U32>(stored + kRounding));
        }
        if (call.not_finite != nullptr && has_not_finite(y)) call.not_finite[row + r] = 1;
        store_outputs(static_cast<uint8_t*>(call.y) + to, q, call.out - at);
      } else {
        float* const all = static_cast<float*>(call.y) + to;
        float q[kLinearGroup];
        float* const whole = call.out - at >= kLinearGroup ? all : q;
        CBNET_UNROLL for (int v = 0; v < kVectors; ++v) store(whole + v * kLanesF32, y[v]);
        if (whole == q) store_outputs(all, q, call.out - at);
      }
    }
  }
}

// The sums are (rows, groups * 16), of the rows from `row` and the groups from `group` on.
template <class Sum>
[[gnu::always_inline]] inline void linear_finish(const LinearCall& call, const Sum* sums, int rows,
                                                 int groups, int64_t row, int64_t group) {
  switch (call.activation) {
    case Activation::none:
      return linear_finish_as<Activation::none>(call, sums, rows, groups, row, group);
    case Activation::relu:
      return linear_finish_as<Activation::relu>(call, sums, rows, groups, row, group);
    case Activation::leaky_relu:
      return linear_finish_as<Activation::leaky_relu>(call, sums, rows, groups, row, group);
    case Activation::sigmoid:
      return linear_finish_as<Activation::sigmoid>(call, sums, rows, groups, row, group);
    case Activation::tanh:
      return linear_finish_as<Activation::tanh>(call, sums, rows, groups, row, group);
  }
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
