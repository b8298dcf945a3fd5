#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/json.h"

namespace cbnet::peers {

/// This is why a variant for the paper's networks runs no other.
inline constexpr const char* kSequencesAlone = "takes the paper's networks alone";

/// This is one result of a run.
struct Entry {
  std::string model, engine, variant, precision;
  bool folded = false;
  std::int64_t batch = 0;
  int threads = 0;
  double us = 0.0, low = 0.0, high = 0.0;  // median over the blocks; lowest and highest median of a round
  double busy = 1.0;                // smallest fraction of a block in which the main thread had its core
  double error = 0.0, agree = 0.0;  // beside the f64 reference
  std::optional<double> floor_us;
  bool memory_bound = false;

  bool ours() const { return engine == "cbnet"; }
  bool disturbed() const { return busy < 0.95; }
  std::string name() const;  // "onednn blocked, folded"
};

/// Throws InputError when `run` is not what `cbnet_peers run` writes.
std::vector<Entry> entries_of(const Json& run);

/// This is compared: one model, batch and thread count, in "fp32", "int8", or "best", the fastest precision
/// of each side.
struct Case {
  std::string model, precision;
  std::int64_t batch = 1;
  int threads = 1;
};

struct Comparison {
  Case of;
  std::optional<Entry> ours, peer;  // the fastest of each side
  /// The ratio is ours over the peer's: of the medians, and from the luckiest to the unluckiest rounds.
  std::optional<double> ratio, ratio_low, ratio_high;
  /// This is the smallest floor over the model as it is and folded.
  std::optional<double> floor_us;
  bool memory_bound = false;
};

Comparison compare(const std::vector<Entry>& entries, const Case& of);

/// A ratio must be reached, and a lower one is aimed for, at batch 1 with one thread.
struct Bar {
  Case of;
  double must = 0.0, aim = 0.0;
};
const std::vector<Bar>& bars();

/// Says "met, aim too", "met", "missed", or "not measured".
std::string verdict(const Comparison& comparison, double must, double aim);

}  // namespace cbnet::peers
