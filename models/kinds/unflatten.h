#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// The numbers of a sample in another shape of as many.
struct Unflatten {
  Shape shape = {};

  CBNET_LAYER_PARTS("unflatten", Unflatten)
};

}  // namespace cbnet::kinds
