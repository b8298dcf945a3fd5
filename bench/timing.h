#pragma once

#include <functional>
#include <string>
#include <vector>

// Short calls are timed in turns, on a machine that others may use too.

namespace cbnet::bench {

struct Task {
  std::string name;
  std::function<void()> call;
};

struct TimingOptions {
  int rounds = 3;
  double block_s = 0.03;
  /// Is called before each block with how many are done, of how many.
  std::function<void(const std::string& task, int done, int all)> progress;
};

/// All times are of one call, in µs.
struct Timing {
  double us = 0.0, low = 0.0, high = 0.0;  // median over the blocks; lowest and highest block
  double busy = 1.0;                       // smallest fraction of a block in which this thread had its core
};

/// Times the tasks: every task has one block in each round; odd rounds go backwards. A block is the median
/// over passes of some tens of µs or one call, so that what interrupts a few passes does not show. Where this
/// thread had its core for less than kMinBusy of a block, it is measured again, twice at most; if that does
/// not help and there is no other thread, CPU time stands for time. Throws std::invalid_argument without
/// rounds or with blocks of no length.
std::vector<Timing> time_in_turns(const std::vector<Task>& tasks, const TimingOptions& options);

inline constexpr double kMinBusy = 0.95;

/// Returns for how many seconds this thread has had a core.
double thread_seconds();

/// Calls again and again, for `block_s` at least.
struct TimedBlock {
  std::vector<double> us;  // of one call, by pass: of some tens of µs, or of one call
  double busy = 0.0;       // fraction of the time in which this thread had its core
  double cpu_us = 0.0;     // of one call, this thread's time on a core
};
TimedBlock time_block(const std::function<void()>& call, double block_s);

}  // namespace cbnet::bench
