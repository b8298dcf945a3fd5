#pragma once

#include <cstdint>

// A team runs the chunks of parallel.h: every thread that calls has a team of its own, whose threads stay
// between calls. OpenMP's libraries are not used because they read how to wait when they are loaded, which a
// static library cannot precede, and because GCC's never answers in the child of a fork.

namespace cbnet::detail {

/// A thread waits so for its next chunk, or for the others' last one: it looks again and again for a while,
/// since waking a sleeping thread takes longer than most gaps between loops, and then sleeps.
struct Waiting {
  /// It looks so many times, with the processor's pause between; -1 means for ever.
  std::int64_t rounds = -1;
  /// It looks so long at most; -1 means without a limit.
  std::int64_t limit_ns = -1;
};

/// Returns the waiting of all teams, as the environment has it: GOMP_SPINCOUNT (looks; "infinite"), else
/// OMP_WAIT_POLICY ("active", "passive"), else a short while. Throws InputError for other values.
Waiting waiting_from_environment();

/// Calls body(context, chunk) once for each chunk from 0 to chunks - 1, each in a thread of its own, the
/// caller's for chunk 0, and returns when all have ended. The first exception is rethrown. Inside a chunk, a
/// call runs its chunks one after the other. In the child of a fork a new team is made. Throws
/// std::runtime_error, before any chunk runs, when a thread cannot be started.
void run_in_team(int chunks, void (*body)(void* context, int chunk), void* context);

}  // namespace cbnet::detail
