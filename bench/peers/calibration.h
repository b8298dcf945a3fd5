#pragma once

#include <vector>

#include "bench/peers/model.h"

namespace cbnet::peers {

/// Returns what bytes stand for each value of the model's graph, by value: those of pixels for the pixels,
/// else those that fit what the value is on the model's calibration images.
std::vector<runtime::QuantParams> value_ranges(const PeerModel& model);

}  // namespace cbnet::peers
