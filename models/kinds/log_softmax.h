#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// The logarithm of softmax along the last axis.
struct LogSoftmax {
  CBNET_LAYER_PARTS("log_softmax", LogSoftmax)
};

}  // namespace cbnet::kinds
