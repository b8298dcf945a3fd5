#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// x where it is positive, slope x elsewhere.
struct LeakyRelu {
  double slope = 0.01;

  CBNET_LAYER_PARTS("leaky_relu", LeakyRelu)
};

}  // namespace cbnet::kinds
