#pragma once

// The sole owner of threads. Work is split statically, so that the same thread count gives the same
// ranges, the same order of every sum, and the same bits.

#include <algorithm>
#include <cstdint>
#include <string>

namespace cbnet {

/// Threads that parallel loops use; at start the number of CPUs this process may run on, or OMP_NUM_THREADS.
int num_threads();

/// Throws std::invalid_argument unless 1 <= n <= 1024.
void set_num_threads(int n);

/// How waiting threads wait ("passive", "active" or "default"), for the record of a measurement.
std::string wait_policy();

namespace detail {
void run_chunks(int chunks, void (*body)(void* context, int chunk), void* context);
}

/// How many ranges parallel_chunks would make of `n` items with at least `grain` each.
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
  detail::run_chunks(
      chunks,
      [](void* context, int chunk) {
        auto& c = *static_cast<Call*>(context);
        c.fn(chunk, c.n * chunk / c.chunks, c.n * (chunk + 1) / c.chunks);
      },
      &call);
}

/// The same for chunk_count(n, grain) ranges.
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
