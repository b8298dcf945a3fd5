#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// The mean of each plane: (C,H,W) -> (C,1,1).
struct GlobalAvgPool2d {
  CBNET_LAYER_PARTS("global_avg_pool2d", GlobalAvgPool2d)
};

}  // namespace cbnet::kinds
