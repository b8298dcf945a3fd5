#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// The sum of two layers of one shape, or of one and a constant of its own, stretched like one sample.
struct Add {
  Shape shape = {};  // of the constant; empty: of two layers

  CBNET_LAYER_PARTS("add", Add)
};

}  // namespace cbnet::kinds
