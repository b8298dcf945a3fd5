#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// Layers one behind the other along an axis, of one size along all others.
struct Concat {
  std::int64_t axis = 0;  // of a sample

  CBNET_LAYER_PARTS("concat", Concat)
};

}  // namespace cbnet::kinds
