#pragma once

#include <string>

#include "bench/report.h"

namespace cbnet::bench {

/// "cbnet-bench/1", every key of which docs/bench-json.md explains. Ends with a line feed.
std::string report_json(const Report& report);

}  // namespace cbnet::bench
