#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// The hyperbolic tangent.
struct Tanh {
  CBNET_LAYER_PARTS("tanh", Tanh)
};

}  // namespace cbnet::kinds
