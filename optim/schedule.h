#pragma once

#include <cstdint>
#include <string>

namespace cbnet {

/// The learning rate is a function of how far training is.
enum class ScheduleKind {
  constant,
  /// The rate is multiplied by `factor` after every third of the run.
  step,
  /// The rate falls from the base rate to 0 along half a cosine (Loshchilov and Hutter 2017, without
  /// restarts).
  cosine,
};

/// "constant", "step", "cosine"; throws std::invalid_argument for another name.
ScheduleKind parse_schedule(const std::string& name);
const char* to_string(ScheduleKind kind);

struct Schedule {
  ScheduleKind kind = ScheduleKind::cosine;
  double base_rate = 1e-3;
  double factor = 0.1;
  /// The rate first rises from 0 in a straight line over so many steps.
  std::int64_t warmup_steps = 0;

  /// Returns the rate of step 0, 1, …, total_steps - 1.
  double rate(std::int64_t step, std::int64_t total_steps) const;
};

}  // namespace cbnet
