#pragma once

#include <optional>
#include <string>

#include "bench/floor.h"
#include "bench/peers/model.h"

// The floor of a model is the least time that the machine leaves it.

namespace cbnet::peers {

using bench::Floor;
using bench::MachineLimits;

/// Returns, per image, max(multiply-adds at their peak, weight bytes at the bandwidth of their size, read one
/// way, over the batch), the cores sharing both. "int8": dense layers in bytes, the others in f32. None where
/// no peak is known.
std::optional<Floor> floor_of(const ModelCost& cost, const std::string& precision, std::int64_t batch,
                              int threads, const MachineLimits& limits);

/// Returns the bytes of weights that one core reads: what MachineLimits must have been measured at.
double core_bytes(const ModelCost& cost, const std::string& precision, int threads);

}  // namespace cbnet::peers
