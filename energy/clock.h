#pragma once

#include <time.h>

#include <cstdint>

namespace cbnet::energy {

// Reads CLOCK_MONOTONIC in nanoseconds: the one clock of windows and samples, and that of
// std::chrono::steady_clock, so that energy and latency share their window.
inline std::int64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace cbnet::energy
