#include "bench/peers/bounds.h"

namespace cbnet::peers {

double core_bytes(const ModelCost& cost, const std::string& precision, int threads) {
  const double saved = precision == "int8" ? 0.75 * cost.byte_weight_bytes : 0.0;
  return (cost.weight_bytes - saved) / threads;
}

std::optional<Floor> floor_of(const ModelCost& cost, const std::string& precision, std::int64_t batch,
                              int threads, const MachineLimits& limits) {
  const double in_bytes = precision == "int8" ? cost.byte_macs : 0.0;
  const double images = static_cast<double>(batch) / threads;
  const double bytes = core_bytes(cost, precision, threads);
  auto floor = bench::floor_of({(cost.macs - in_bytes) * images, in_bytes * images, bytes}, limits);
  if (floor) floor->us /= static_cast<double>(batch);
  return floor;
}

}  // namespace cbnet::peers
