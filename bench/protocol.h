#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "energy/clock.h"
#include "energy/meter.h"

// Things are timed so that they can be compared: in turns, each over the whole test set, energy and
// latency over one window.

namespace cbnet::bench {

/// Reads CLOCK_MONOTONIC in nanoseconds; the meter must use the same one.
using Clock = std::function<std::int64_t()>;

/// A subject is one of the things that are compared. A pass is run(0), …, run(calls - 1): the whole test set.
struct Subject {
  std::string name;
  std::int64_t calls = 0;
  /// Does call i and returns how many images it held.
  std::function<std::int64_t(std::int64_t call)> run;
};

/// A block is whole passes of one subject, back to back, in one window. Whole ones, so that every block has
/// the same mix of easy and hard images.
struct Block {
  std::int64_t round = 0;
  std::int64_t passes = 0;
  std::int64_t images = 0;
  /// There is one per call: its time over its images, by the clock around the call.
  std::vector<double> image_ns;
  /// energy.window_s is the length of the block: latency and energy share it.
  energy::EnergyResult energy;

  /// This is window over images: it holds all that happens between two images, the clock's own cost included.
  double mean_ns() const { return 1e9 * energy.window_s / static_cast<double>(images); }
};

struct ProtocolOptions {
  std::int64_t rounds = 3;
  /// A block ends with the first pass after this time.
  double min_block_s = 1.0;
  Clock clock = energy::monotonic_ns;
  /// Is called before each block.
  std::function<void(const std::string& subject, std::int64_t round)> progress;
};

/// Runs the rounds: in each every subject has one block; odd rounds go backwards, so that a machine that
/// slows down or speeds up does so to all of them alike. result[s] are the blocks of subjects[s], by round.
/// Throws std::invalid_argument unless there are subjects, rounds, and calls in each pass.
std::vector<std::vector<Block>> time_blocks(const std::vector<Subject>& subjects, energy::Meter& meter,
                                            const ProtocolOptions& options);

/// Returns what one reading of the clock before a call and one after it add to the call's time, in
/// nanoseconds.
double timer_cost_ns(const Clock& clock = energy::monotonic_ns);

}  // namespace cbnet::bench
