#pragma once

#include <vector>

#include "models/kinds/linear.h"
#include "models/kinds/unflatten.h"
#include "models/spec.h"

namespace cbnet::testing {

/// A layer, and the shapes of one sample of what it reads.
struct LayerSample {
  LayerSpec layer;
  std::vector<Shape> in;
};

/// The layer behind one linear layer for each of its inputs, so that they are numbers of both signs.
inline NetworkSpec network_of(const LayerSample& sample) {
  NetworkSpec spec{"sample", {6}, {}, {}};
  LayerSpec layer = sample.layer;
  for (const Shape& shape : sample.in) {
    spec.trunk.push_back(LayerSpec(kinds::Linear{.out = numel(shape)}, {0}));
    spec.trunk.push_back(kinds::Unflatten{.shape = shape});
    layer.inputs.push_back(static_cast<std::int64_t>(spec.trunk.size()));
  }
  spec.trunk.push_back(layer);
  return spec;
}

// What the tests of all kinds run, from tests/models/kinds/test_<name>.cpp: a kind without samples does not
// link.
#define LAYER(name, Type) std::vector<LayerSample> name##_samples();
#include "models/layers.def"
#undef LAYER

}  // namespace cbnet::testing
