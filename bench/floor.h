#pragma once

#include <optional>
#include <vector>

#include "models/json.h"
#include "tensor/cpu/isa.h"

// This is what the machine allows at best, and the least time that it leaves a piece of work.

namespace cbnet::bench {

struct Bandwidth {
  double size_bytes = 0.0;
  double one_way = 0.0, zigzag = 0.0;  // GB/s
};

/// One core has these, with the vectors of one ISA.
struct MachineLimits {
  Isa isa = Isa::scalar;
  std::optional<double> fma_gmacs, int8_gmacs;
  std::vector<Bandwidth> reads;  // by size
};

/// Measures, at the given buffer sizes and at those of typical caches, on the calling thread.
MachineLimits measure_limits(Isa isa, const std::vector<double>& sizes);
/// Returns the better of two measurements of the same.
MachineLimits better(const MachineLimits& a, const MachineLimits& b);

Json to_json(const MachineLimits& limits);

/// Returns sizes a factor of two apart, 4 KiB to at least `largest`: no size is further than a factor of 1.42
/// from one.
std::vector<double> octaves(double largest);

/// One core has to do this much.
struct Work {
  double macs = 0.0;       // in f32
  double int8_macs = 0.0;  // in bytes
  double bytes = 0.0;      // read and written
};

struct Floor {
  double us = 0.0;
  bool memory_bound = false;
};

/// Returns max(multiply-adds at their peak, bytes at the bandwidth that was measured nearest to their size,
/// read one way). None where a peak that it takes is not known.
std::optional<Floor> floor_of(const Work& work, const MachineLimits& limits);

}  // namespace cbnet::bench
