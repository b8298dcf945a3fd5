#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// The largest number of each window; padding is -inf: (C,H,W) -> (C,OH,OW).
struct MaxPool2d {
  Pair kernel_size = 1, stride = 1;
  Padding2d padding = 0;
  Pair dilation = 1;
  bool ceil_mode = false;

  Window2d window() const { return {kernel_size, stride, padding, dilation, ceil_mode}; }
  CBNET_LAYER_PARTS("max_pool2d", MaxPool2d)
};

}  // namespace cbnet::kinds
