#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// Zeroes numbers with probability p and scales the rest by 1 / (1 - p), in training (Srivastava et al.
/// 2014); the identity in evaluation.
struct Dropout {
  double p = 0.0;

  CBNET_LAYER_PARTS("dropout", Dropout)
};

}  // namespace cbnet::kinds
