#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// 1 / (1 + exp(-x)).
struct Sigmoid {
  CBNET_LAYER_PARTS("sigmoid", Sigmoid)
};

}  // namespace cbnet::kinds
