#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// min(max(x, 0), 6).
struct Relu6 {
  CBNET_LAYER_PARTS("relu6", Relu6)
};

}  // namespace cbnet::kinds
