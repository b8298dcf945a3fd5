#pragma once

#include <cstdint>

#include "tensor/rng.h"

namespace cbnet {

/// Separate streams of the user's seed.
enum class SeedUse : std::uint64_t {
  split = 11,
  lenet,
  branchynet,
  autoencoder,
  targets,
  network,
  truncation
};

inline std::uint64_t derive_seed(std::uint64_t seed, SeedUse use) {
  return Rng(seed, static_cast<std::uint64_t>(use)).next();
}

}  // namespace cbnet
