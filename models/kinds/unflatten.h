#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// The numbers of a sample in another shape of as many.
struct Unflatten {
  Shape shape = {};

  CBNET_LAYER_PARTS("unflatten", Unflatten)
};

/// The layer that makes samples of that shape: flatten where it has one axis.
LayerSpec reshape_to(const Shape& shape);

}  // namespace cbnet::kinds
