#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "bench/peers/model.h"
#include "models/json.h"
#include "tensor/isa.h"

// What the machine allows at best, and the least time it leaves a model.

namespace cbnet::peers {

struct Bandwidth {
  double size_bytes = 0.0;
  double one_way = 0.0, zigzag = 0.0;  // GB/s
};

/// Of one core, with the vectors of one ISA.
struct MachineLimits {
  Isa isa = Isa::scalar;
  std::optional<double> fma_gmacs, int8_gmacs;
  std::vector<Bandwidth> reads;  // by size
};

/// Measures, at the given buffer sizes and at those of typical caches, on the calling thread.
MachineLimits measure_limits(Isa isa, const std::vector<double>& sizes);
/// The better of two measurements of the same.
MachineLimits better(const MachineLimits& a, const MachineLimits& b);

Json to_json(const MachineLimits& limits);

struct Floor {
  double us = 0.0;  // per image
  bool memory_bound = false;
};

/// max(multiply-adds at their peak, weight bytes at the bandwidth of their size, read one way, over the
/// batch), the cores sharing both. "int8": dense layers in bytes, the others in f32. None where no peak is
/// known.
std::optional<Floor> floor_of(const ModelCost& cost, const std::string& precision, std::int64_t batch,
                              int threads, const MachineLimits& limits);

/// Bytes of weights that one core reads: what MachineLimits must have been measured at.
double core_bytes(const ModelCost& cost, const std::string& precision, int threads);

}  // namespace cbnet::peers
