#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// All numbers of a sample in one row: (…) -> (features).
struct Flatten {
  CBNET_LAYER_PARTS("flatten", Flatten)
};

}  // namespace cbnet::kinds
