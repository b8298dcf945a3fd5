#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/error.h"

namespace cbnet {

ScheduleKind parse_schedule(const std::string& name) {
  for (const auto kind : {ScheduleKind::constant, ScheduleKind::step, ScheduleKind::cosine}) {
    if (name == to_string(kind)) return kind;
  }
  require(false, "schedule", "expected constant, step or cosine; got '", name, "'");
  return ScheduleKind::constant;
}

const char* to_string(ScheduleKind kind) {
  constexpr const char* kNames[] = {"constant", "step", "cosine"};
  return kNames[static_cast<int>(kind)];
}

double Schedule::rate(std::int64_t step, std::int64_t total_steps) const {
  require(step >= 0 && step < total_steps, "schedule", "step must be in [0, ", total_steps, "); got ", step);
  if (step < warmup_steps) {
    return base_rate * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  }
  const double progress = static_cast<double>(step - warmup_steps) /
                          static_cast<double>(std::max<std::int64_t>(total_steps - warmup_steps, 1));
  switch (kind) {
    case ScheduleKind::step:
      return base_rate * std::pow(factor, std::floor(3.0 * progress));
    case ScheduleKind::cosine:
      return base_rate * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
    case ScheduleKind::constant:
      break;
  }
  return base_rate;
}

}  // namespace cbnet
