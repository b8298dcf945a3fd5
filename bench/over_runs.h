#pragma once

#include <string>

#include "bench/report.h"

namespace cbnet::bench {

/// Makes a table of what stands in two or more runs of one dataset, seeds of one training: means over the
/// runs of accuracy, of latency, and of the ratios to the f32 rows of LeNet and BranchyNet in the same run,
/// each with its 95 % interval. Empty where no row stands in two runs.
std::string over_runs_text(const Report& report);

}  // namespace cbnet::bench
