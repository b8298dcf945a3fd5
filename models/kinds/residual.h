#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// body(x) + shortcut(x) (He et al. 2016); an empty shortcut is the identity.
struct Residual {
  LayerSpecs body = {}, shortcut = {};

  CBNET_LAYER_PARTS("residual", Residual)
};

}  // namespace cbnet::kinds
