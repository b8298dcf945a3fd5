#include "bench/limits.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "bench/timing.h"
#include "tensor/error.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cbnet::bench {
namespace {

// A try is shorter than a time slice, so that on a machine that others use too some are undisturbed.
constexpr double kTrySeconds = 0.001;
constexpr int kTries = 40;

/// Returns work units a second of the best of several tries: a limit is what the machine can do undisturbed.
/// CPU time leaves out what others took of the core; it is read once a try, for reading it takes longer than
/// some work does.
template <class F>
double best_rate(double units, F work) {
  const auto seconds_of = [&](std::int64_t calls) {
    const double start = thread_seconds();
    for (std::int64_t i = 0; i < calls; ++i) work();
    return thread_seconds() - start;
  };
  std::int64_t calls = 1;
  while (seconds_of(calls) < kTrySeconds) calls *= 2;
  double best = 0.0;
  for (int i = 0; i < kTries; ++i)
    best = std::max(best, units * static_cast<double>(calls) / seconds_of(calls));
  return best;
}

constexpr std::int64_t kLoops = 20'000;

/// Keeps a value that is computed for its cost alone.
volatile float kept;
void keep(float value) { kept = value; }

bool is_avx512(Isa isa) { return isa == Isa::avx512 || isa == Isa::avx512_vnni; }

bool has(Isa isa) {
  const std::vector<Isa> all = available_isas();
  return std::find(all.begin(), all.end(), isa) != all.end();
}

#if defined(__x86_64__)

// These chains do not wait for one another: latency times throughput of FMA, within the registers there are;
// and in registers they are only if every loop over them is unrolled and, in bytes, the instructions are
// named: of the intrinsics GCC 12 makes copies, more than there are registers.
constexpr int kChainsAvx2 = 12, kChainsAvx512 = 24;

__attribute__((target("avx2,fma"))) void fma_avx2() {
  __m256 sums[kChainsAvx2];
#pragma GCC unroll 12
  for (int c = 0; c < kChainsAvx2; ++c) sums[c] = _mm256_set1_ps(static_cast<float>(c));
  const __m256 a = _mm256_set1_ps(0.5F), b = _mm256_set1_ps(0.25F);
  for (std::int64_t i = 0; i < kLoops; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChainsAvx2; ++c) sums[c] = _mm256_fmadd_ps(sums[c], a, b);
  }
#pragma GCC unroll 12
  for (int c = 1; c < kChainsAvx2; ++c) sums[0] = _mm256_add_ps(sums[0], sums[c]);
  keep(_mm256_cvtss_f32(sums[0]));
}

__attribute__((target("avx512f"))) void fma_avx512() {
  __m512 sums[kChainsAvx512];
#pragma GCC unroll 24
  for (int c = 0; c < kChainsAvx512; ++c) sums[c] = _mm512_set1_ps(static_cast<float>(c));
  const __m512 a = _mm512_set1_ps(0.5F), b = _mm512_set1_ps(0.25F);
  for (std::int64_t i = 0; i < kLoops; ++i) {
#pragma GCC unroll 24
    for (int c = 0; c < kChainsAvx512; ++c) sums[c] = _mm512_fmadd_ps(sums[c], a, b);
  }
#pragma GCC unroll 24
  for (int c = 1; c < kChainsAvx512; ++c) sums[0] = _mm512_add_ps(sums[0], sums[c]);
  keep(_mm512_cvtss_f32(sums[0]));
}

__attribute__((target("avx2"))) void int8_avx2() {
  __m256i sums[kChainsAvx2];
#pragma GCC unroll 12
  for (int c = 0; c < kChainsAvx2; ++c) sums[c] = _mm256_set1_epi32(c);
  const __m256i ones = _mm256_set1_epi16(1), b = _mm256_set1_epi8(2);
  for (std::int64_t i = 0; i < kLoops; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChainsAvx2; ++c) {
      // The sum itself is the factor, so that no product can be taken out of the loop.
      __m256i pairs;
      asm("vpmaddubsw %3, %0, %1\n\tvpmaddwd %2, %1, %1\n\tvpaddd %1, %0, %0"
          : "+x"(sums[c]), "=&x"(pairs)
          : "x"(ones), "x"(b));
    }
  }
#pragma GCC unroll 12
  for (int c = 1; c < kChainsAvx2; ++c) sums[0] = _mm256_add_epi32(sums[0], sums[c]);
  keep(static_cast<float>(_mm256_cvtsi256_si32(sums[0])));
}

__attribute__((target("avx512f,avx512vnni"))) void int8_avx512() {
  __m512i sums[kChainsAvx512];
#pragma GCC unroll 24
  for (int c = 0; c < kChainsAvx512; ++c) sums[c] = _mm512_set1_epi32(c);
  const __m512i a = _mm512_set1_epi8(1), b = _mm512_set1_epi8(2);
  for (std::int64_t i = 0; i < kLoops; ++i) {
#pragma GCC unroll 24
    for (int c = 0; c < kChainsAvx512; ++c) asm("vpdpbusd %2, %1, %0" : "+v"(sums[c]) : "v"(a), "v"(b));
  }
#pragma GCC unroll 24
  for (int c = 1; c < kChainsAvx512; ++c) sums[0] = _mm512_add_epi32(sums[0], sums[c]);
  keep(static_cast<float>(_mm512_cvtsi512_si32(sums[0])));
}

// Reads lines of 64 bytes from `first` on, each `step` lines from the last: 8 sums, as many loads in flight
// as there are.

__attribute__((target("avx2"))) void read_avx2(const char* first, std::int64_t lines, std::int64_t step) {
  __m256i sums[8] = {};
  for (std::int64_t i = 0; i < lines; i += 4) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const auto* line = reinterpret_cast<const __m256i*>(first + 64 * step * (i + k));
      sums[2 * k] = _mm256_xor_si256(sums[2 * k], _mm256_load_si256(line));
      sums[2 * k + 1] = _mm256_xor_si256(sums[2 * k + 1], _mm256_load_si256(line + 1));
    }
  }
  for (int k = 1; k < 8; ++k) sums[0] = _mm256_xor_si256(sums[0], sums[k]);
  keep(static_cast<float>(_mm256_cvtsi256_si32(sums[0])));
}

__attribute__((target("avx512f"))) void read_avx512(const char* first, std::int64_t lines,
                                                    std::int64_t step) {
  __m512i sums[4] = {};
  for (std::int64_t i = 0; i < lines; i += 4) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k)
      sums[k] = _mm512_xor_si512(sums[k], _mm512_load_si512(first + 64 * step * (i + k)));
  }
  for (int k = 1; k < 4; ++k) sums[0] = _mm512_xor_si512(sums[0], sums[k]);
  keep(static_cast<float>(_mm512_cvtsi512_si32(sums[0])));
}

#endif

void read_plain(const char* first, std::int64_t lines, std::int64_t step) {
  std::uint64_t sums[8] = {};
  for (std::int64_t i = 0; i < lines; ++i) {
    const auto* words = reinterpret_cast<const std::uint64_t*>(first + 64 * step * i);
    for (int k = 0; k < 8; ++k) sums[k] ^= words[k];
  }
  for (int k = 1; k < 8; ++k) sums[0] ^= sums[k];
  keep(static_cast<float>(sums[0]));
}

using Read = void (*)(const char* first, std::int64_t lines, std::int64_t step);

Read reader(Isa isa) {
#if defined(__x86_64__)
  if (is_avx512(isa) && has(isa)) return read_avx512;
  if (isa == Isa::avx2 && has(isa)) return read_avx2;
#endif
  static_cast<void>(isa);
  return read_plain;
}

}  // namespace

std::optional<double> fma_gmacs(Isa isa) {
#if defined(__x86_64__)
  constexpr double kUnit = 1e-9 * static_cast<double>(kLoops);
  if (isa == Isa::avx2 && has(isa)) return best_rate(kUnit * kChainsAvx2 * 8, fma_avx2);
  if (is_avx512(isa) && has(isa)) return best_rate(kUnit * kChainsAvx512 * 16, fma_avx512);
#endif
  static_cast<void>(isa);
  return {};
}

std::optional<double> int8_gmacs(Isa isa) {
#if defined(__x86_64__)
  constexpr double kUnit = 1e-9 * static_cast<double>(kLoops);
  if (isa == Isa::avx2 && has(isa)) return best_rate(kUnit * kChainsAvx2 * 32, int8_avx2);
  if (isa == Isa::avx512_vnni && has(isa)) return best_rate(kUnit * kChainsAvx512 * 64, int8_avx512);
#endif
  static_cast<void>(isa);
  return {};
}

double read_gb_per_s(std::size_t size_bytes, Sweep sweep, Isa isa) {
  require(size_bytes >= 4096, "limits", "a buffer has at least 4096 bytes; got ", size_bytes);
  const std::int64_t lines = static_cast<std::int64_t>(size_bytes) / 256 * 4;
  std::vector<char> memory(static_cast<std::size_t>(64 * (lines + 1)), 1);
  char* first = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64;
  const Read read = reader(isa);
  bool forward = true;
  return best_rate(64e-9 * static_cast<double>(lines), [&] {
    if (forward)
      read(first, lines, 1);
    else
      read(first + 64 * (lines - 1), lines, -1);
    if (sweep == Sweep::zigzag) forward = !forward;
  });
}

}  // namespace cbnet::bench
