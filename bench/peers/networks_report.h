#pragma once

#include <string>
#include <vector>

#include "models/json.h"

namespace cbnet::peers {

/// This is what the page of the networks is made from, in any order: of `cbnet_peers run --network` and of
/// `bench_train --network`.
struct NetworkRecords {
  std::vector<Json> runs, trainings;
};

/// Makes docs/performance/networks.md: ours against the best peer, network by network, and which engine could
/// not run which, and why. Throws InputError for JSON of another schema or without what a table needs.
std::string networks_markdown(const NetworkRecords& records);

}  // namespace cbnet::peers
