#pragma once

#include <vector>

#include "models/layer.h"

namespace cbnet::testing {

/// A layer, and the shapes of one sample of what it reads.
struct LayerSample {
  LayerSpec layer;
  std::vector<Shape> in;
};

// What the tests of all kinds run, from tests/models/kinds/test_<name>.cpp: a kind without samples does not
// link.
#define LAYER(name, Type) std::vector<LayerSample> name##_samples();
#include "models/layers.def"
#undef LAYER

}  // namespace cbnet::testing
