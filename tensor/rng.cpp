#include "tensor/rng.h"

#include <cmath>
#include <numbers>

#include "tensor/error.h"

namespace cbnet {

Rng& default_rng() {
  thread_local Rng rng;
  return rng;
}

double RngState::normal(std::uint64_t ahead) const {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform(ahead)));
  return radius * std::cos(2.0 * std::numbers::pi * uniform(ahead + 1));
}

std::int64_t Rng::below(std::int64_t n) {
  require(n > 0, "rng", "below() needs a positive bound; got ", n);
  return state_.below(n);
}

}  // namespace cbnet
