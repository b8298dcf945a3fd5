#pragma once

// This header is the sole owner of threads, which thread_team.h starts and lets wait. Work is split
// statically, so that the same thread count gives the same ranges, the same order of every sum, and the same
// bits.

#include <algorithm>
#include <cstdint>
#include <string>

#include "tensor/thread_team.h"

namespace cbnet {

/// Returns how many threads parallel loops use: at start the first number in OMP_NUM_THREADS or, where it is
/// not set, allowed_cpus(), and at most OMP_THREAD_LIMIT. Throws InputError where the environment holds
/// something else.
int num_threads();

/// Throws std::invalid_argument unless 1 <= n <= 1024.
void set_num_threads(int n);

/// Says how waiting threads wait, for the record of a measurement: "passive", "active", "spincount N" where
/// GOMP_SPINCOUNT says so, and else "default", a short look before they sleep.
std::string wait_policy();

namespace detail {
/// Returns what num_threads() is at start.
int threads_from_environment();
}  // namespace detail

/// Returns how many ranges parallel_chunks would make of `n` items with at least `grain` each.
inline int chunk_count(std::int64_t n, std::int64_t grain) {
  const std::int64_t most = (n + std::max<std::int64_t>(grain, 1) - 1) / std::max<std::int64_t>(grain, 1);
  return static_cast<int>(std::clamp<std::int64_t>(most, n > 0 ? 1 : 0, num_threads()));
}

/// Calls fn(chunk, begin, end) once for each of `chunks` disjoint ranges that cover [0, n). Who has made room
/// for every chunk hands its count on: another thread may set num_threads() between two looks at it.
/// Inside a parallel loop it runs in the calling thread. The first exception is rethrown to the caller.
template <class F>
void parallel_chunks_of(int chunks, std::int64_t n, F&& fn) {
  struct Call {
    F& fn;
    std::int64_t n;
    int chunks;
  } call{fn, n, chunks};
  detail::run_in_team(
      chunks,
      [](void* context, int chunk) {
        auto& c = *static_cast<Call*>(context);
        c.fn(chunk, c.n * chunk / c.chunks, c.n * (chunk + 1) / c.chunks);
      },
      &call);
}

/// Does the same for chunk_count(n, grain) ranges.
template <class F>
void parallel_chunks(std::int64_t n, std::int64_t grain, F&& fn) {
  parallel_chunks_of(chunk_count(n, grain), n, fn);
}

/// Calls fn(begin, end) on disjoint ranges that cover [0, n).
template <class F>
void parallel_for(std::int64_t n, std::int64_t grain, F&& fn) {
  parallel_chunks(n, grain, [&](int, std::int64_t begin, std::int64_t end) { fn(begin, end); });
}

}  // namespace cbnet
