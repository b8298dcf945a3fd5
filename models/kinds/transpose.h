#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// The axes of a sample in another order.
struct Transpose {
  std::vector<std::int64_t> axes = {};

  CBNET_LAYER_PARTS("transpose", Transpose)
};

}  // namespace cbnet::kinds
