#pragma once

#include "bench/report.h"
#include "console/output.h"

namespace cbnet::bench {

/// Describes the machine and the engine, as every schema has them under "host".
Json host_json(const HostRecord& record);

/// Makes a record "cbnet-bench/1", every key of which docs/bench-json.md explains.
Json report_json(const Report& report);

}  // namespace cbnet::bench
