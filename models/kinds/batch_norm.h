#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// (x - mean) / sqrt(variance + epsilon) * weight + bias for each channel (Ioffe and Szegedy 2015): by the
/// batch in training, by running averages in evaluation.
struct BatchNorm {
  double epsilon = 1e-5;

  CBNET_LAYER_PARTS("batch_norm", BatchNorm)
};

}  // namespace cbnet::kinds
