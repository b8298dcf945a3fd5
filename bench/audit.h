#pragma once

#include <string>
#include <vector>

// Every claim of the paper is held against what is measured of runs that `cbnet train` made.

namespace cbnet::bench {

/// Runs `cbnet_bench audit`, with the words after the command. Returns 1 where a claim has no verdict or a
/// time cannot be; errors are thrown.
int run_audit(const std::vector<std::string>& words);

}  // namespace cbnet::bench
