#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// max(x, 0).
struct Relu {
  CBNET_LAYER_PARTS("relu", Relu)
};

}  // namespace cbnet::kinds
