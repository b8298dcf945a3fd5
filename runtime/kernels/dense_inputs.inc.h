// Part of dense.inc.h: which steps of a layer have something to add.

// The steps in which one of `count` rows from `row` on is not zero, or all of them: list[0] says how many,
// the others which. Behind the last come, for asking ahead, the first ones of the panels that follow.
template <class Step>
void list_steps(const DenseCall& call, int64_t row, int64_t count, int32_t* list) {
  // A step's inputs of a row are one word, or two; a zero is a word of zeros, but for the sign of an f32.
  constexpr int64_t kWords = Step::kInputs * static_cast<int64_t>(sizeof(typename Step::Input)) / 4;
  constexpr uint32_t kMask = sizeof(typename Step::Input) == 4 ? 0x7fffffffU : 0xffffffffU;
  const auto* const x = static_cast<const typename Step::Input*>(call.x) + row * call.x_pitch;
  int32_t* const to = list + 1;
  int64_t found = 0, step = 0;
#if defined(__AVX512F__)
  if constexpr (kWords == 1) {
    for (; step + 16 <= call.steps; step += 16) {
      U32 any = {};
      for (int64_t r = 0; r < count; ++r)
        any |= load(reinterpret_cast<const uint32_t*>(x + r * call.x_pitch + step * Step::kInputs));
      const __mmask16 there = _mm512_test_epi32_mask(bits<__m512i>(any), bits<__m512i>(kMask - U32{}));
      const __mmask16 kept = call.skips ? there : static_cast<__mmask16>(-1);
      const I32 all = I32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} + static_cast<int32_t>(step);
      store(to + found, bits<I32>(_mm512_maskz_compress_epi32(kept, bits<__m512i>(all))));
      found += __builtin_popcount(kept);
    }
  }
#endif
  for (; step < call.steps; ++step) {
    uint32_t any = 0;
    for (int64_t r = 0; r < count; ++r) {
      uint32_t words[kWords];
      __builtin_memcpy(words, x + r * call.x_pitch + step * Step::kInputs, sizeof words);
      for (int64_t i = 0; i < kWords; ++i) any |= words[i];
    }
    to[found] = static_cast<int32_t>(step);
    found += (any & kMask) != 0 || !call.skips;
  }
  list[0] = static_cast<int32_t>(found);
  if (found == 0) return;
  const auto panel = static_cast<int32_t>(call.backwards ? -call.steps : call.steps);
  for (int64_t i = 0; i < kStepsAhead; ++i) to[found + i] = to[i] + panel;
}
