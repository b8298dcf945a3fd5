#pragma once
// This part of linear.inc.h lists which K-blocks of a layer have something to add:
//
//   | 3 4 9 … | 0 7 …  | 3 + p  4 + p  9 + p … |     p = k_blocks, or -k_blocks where panels go backwards
//     `low`     others   kBlocksAhead, to be asked for ahead of the panel that follows

#include "tensor/cpu/kernels/linear_k_block.inc.h"

namespace cbnet::kernels::CBNET_ISA {
namespace {

// Inputs are looked at a word at a time, or as many as a vector holds: bit i of `words_with` says whether
// word i has a bit of `mask`; `append` writes which K-blocks from `k` on have their bit set in `kept`, and
// returns how many.
[[gnu::always_inline]] inline uint32_t words_with(uint32_t word, uint32_t mask) { return (word & mask) != 0; }
[[gnu::always_inline]] inline int64_t append(uint32_t, int32_t* to, int64_t k, uint32_t kept) {
  *to = static_cast<int32_t>(k);
  return kept & 1U;
}

#if defined(__AVX512F__)
using Words = U32;
[[gnu::always_inline]] inline uint32_t words_with(U32 words, uint32_t mask) {
  return _mm512_test_epi32_mask(bits<__m512i>(words), bits<__m512i>(mask - U32{}));
}
[[gnu::always_inline]] inline int64_t append(U32, int32_t* to, int64_t k, uint32_t kept) {
  const I32 all = I32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} + static_cast<int32_t>(k);
  store(to, bits<I32>(_mm512_maskz_compress_epi32(static_cast<__mmask16>(kept), bits<__m512i>(all))));
  return __builtin_popcount(kept & 0xffffU);
}
#elif defined(__AVX2__)
using Words = U32;
// The table says which bits of a byte are set, in order.
struct BitsOf {
  uint8_t of[256][8];
};
constexpr BitsOf kBits = [] {
  BitsOf out = {};
  for (int byte = 0; byte < 256; ++byte) {
    for (uint8_t bit = 0, found = 0; bit < 8; ++bit) {
      if ((byte >> bit & 1) != 0) out.of[byte][found++] = bit;
    }
  }
  return out;
}();
[[gnu::always_inline]] inline uint32_t words_with(U32 words, uint32_t mask) {
  const __m256i none = _mm256_cmpeq_epi32(bits<__m256i>(words & mask), _mm256_setzero_si256());
  return ~static_cast<uint32_t>(_mm256_movemask_ps(bits<__m256>(none)));
}
[[gnu::always_inline]] inline int64_t append(U32, int32_t* to, int64_t k, uint32_t kept) {
  kept &= 0xffU;
  const __m128i set = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kBits.of[kept]));
  store(to, bits<I32>(_mm256_cvtepu8_epi32(set)) + static_cast<int32_t>(k));
  return __builtin_popcount(kept);
}
#else
using Words = uint32_t;
#endif

// Lists the K-blocks in which one of `count` rows from `row` on is not zero, or all of them; those without a
// top bit, which KBlock::Low takes, stand before the others. Behind the last come, for asking ahead, the
// first ones of the panels that follow.
template <class KBlock>
KBlockList list_k_blocks(const LinearCall& call, int64_t row, int64_t count, int32_t* to) {
  // A K-block's inputs of a row are one word, or two; a zero is a word of zeros, but for the sign of an f32.
  constexpr int64_t kWords = KBlock::kInputs * static_cast<int64_t>(sizeof(typename KBlock::Input)) / 4;
  constexpr uint32_t kSome = sizeof(typename KBlock::Input) == 4 ? 0x7fffffffU : 0xffffffffU;
  constexpr bool kTwoKinds = !__is_same(KBlock, typename KBlock::Low);
  const auto* const x = static_cast<const typename KBlock::Input*>(call.x) + row * call.x_pitch;
  int64_t found = 0, low = 0;
  for (int kind = kTwoKinds ? 0 : 1; kind < 2; ++kind) {
    low = found;
    const auto look = [&]<class Some>(Some some, int64_t k) __attribute__((always_inline)) {
      for (int64_t r = 0; r < count; ++r) {
        const auto* const at = x + r * call.x_pitch + k * KBlock::kInputs;
        for (int64_t i = 0; i < kWords; ++i) {
          Some words;
          __builtin_memcpy(&words, reinterpret_cast<const char*>(at) + 4 * i, sizeof words);
          some |= words;
        }
      }
      uint32_t kept = call.skips ? words_with(some, kSome) : ~0U;
      if constexpr (kTwoKinds) {
        const uint32_t top = words_with(some, 0x80808080U);
        kept &= kind == 0 ? ~top : top;
      }
      found += append(some, to + found, k, kept);
    };
    constexpr int64_t kAtOnce = kWords == 1 ? sizeof(Words) / 4 : 1;
    int64_t k = 0;
    if constexpr (kAtOnce > 1) {
      for (; k + kAtOnce <= call.k_blocks; k += kAtOnce) look(Words{}, k);
    }
    for (; k < call.k_blocks; ++k) look(uint32_t{0}, k);
  }
  const KBlockList list{to, found, low};
  if (found == 0) return list;
  const auto panel = static_cast<int32_t>(call.backwards ? -call.k_blocks : call.k_blocks);
  for (int64_t i = 0; i < kBlocksAhead; ++i) to[found + i] = to[i] + panel;
  return list;
}

}  // namespace
}  // namespace cbnet::kernels::CBNET_ISA
