#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// The mean of each window; padding counts as zeros, or not at all: (C,H,W) -> (C,OH,OW).
struct AvgPool2d {
  Pair kernel_size = 1, stride = 1;
  Padding2d padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;

  Window2d window() const { return {kernel_size, stride, padding, 1, ceil_mode}; }
  CBNET_LAYER_PARTS("avg_pool2d", AvgPool2d)
};

}  // namespace cbnet::kinds
