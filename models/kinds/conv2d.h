#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// Cross-correlation with a weight (out, C / groups, Kh, Kw) and a bias (out): (C,H,W) -> (out,OH,OW).
struct Conv2d {
  std::int64_t out = 0;  // channels
  Pair kernel_size = 1, stride = 1;
  Padding2d padding = 0;
  Pair dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;

  Window2d window() const { return {kernel_size, stride, padding, dilation}; }
  CBNET_LAYER_PARTS("conv2d", Conv2d)
};

}  // namespace cbnet::kinds
