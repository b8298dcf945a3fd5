#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cbnet {

namespace detail {

// This is the calling thread's floating-point control register, which says what it does with subnormals, how
// it rounds.
#if defined(__x86_64__)
using FloatControl = unsigned int;
inline constexpr FloatControl kFlush = 0x8040;  // of MXCSR: results (FTZ), inputs (DAZ)
inline FloatControl float_control() { return _mm_getcsr(); }
inline void set_float_control(FloatControl value) { _mm_setcsr(value); }
#elif defined(__aarch64__)
using FloatControl = std::uint64_t;
inline constexpr FloatControl kFlush = FloatControl{1} << 24;  // of FPCR: FZ, both
inline FloatControl float_control() {
  FloatControl value = 0;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
inline void set_float_control(FloatControl value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
using FloatControl = unsigned int;
inline constexpr FloatControl kFlush = 0;
inline FloatControl float_control() { return 0; }
inline void set_float_control(FloatControl) {}
#endif

}  // namespace detail

/// While it lives, the calling thread takes numbers below 1.2e-38 (f32; 2.2e-308 as f64) for zeros, as inputs
/// and as results of arithmetic: many processors take a hundred times as long over them. So do the threads
/// that parallel.h runs for it. The end restores what was set before. Does nothing on architectures other
/// than x86-64 and aarch64.
class FlushSubnormals {
 public:
  /// With `on` false it changes nothing.
  explicit FlushSubnormals(bool on = true) : before_(detail::float_control()) {
    if (on) detail::set_float_control(before_ | detail::kFlush);
  }
  ~FlushSubnormals() { detail::set_float_control(before_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  detail::FloatControl before_;
};

}  // namespace cbnet
