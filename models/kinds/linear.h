#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// y = W x + b with W (out, in): (in) -> (out).
struct Linear {
  std::int64_t out = 0;  // features
  bool bias = true;

  CBNET_LAYER_PARTS("linear", Linear)
};

}  // namespace cbnet::kinds
