#pragma once

#include "bench/report.h"
#include "console/output.h"

namespace cbnet::bench {

/// "cbnet-bench/1", every key of which docs/bench-json.md explains.
Json report_json(const Report& report);

}  // namespace cbnet::bench
