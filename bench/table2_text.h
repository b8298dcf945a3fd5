#pragma once

#include <string>

#include "bench/report.h"

namespace cbnet::bench {

/// Writes the report for people: for each run our figures, then each of them beside the paper's, and what all
/// of it means in plain words underneath.
std::string table2_text(const Report& report);

}  // namespace cbnet::bench
