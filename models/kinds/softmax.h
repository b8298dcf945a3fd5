#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// exp(x_i) / sum_j exp(x_j) along the last axis.
struct Softmax {
  CBNET_LAYER_PARTS("softmax", Softmax)
};

}  // namespace cbnet::kinds
