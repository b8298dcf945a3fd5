#pragma once

#include <utility>

#include "models/layer.h"

namespace cbnet {
class NodeReader;
}

namespace cbnet::kinds {

/// A function of tensor/pointwise.def of every number: "exp", "erf", "sqrt", "pow" with the exponent `a`, …
struct Pointwise {
  std::string function = "neg";
  double a = 0.0;

  CBNET_LAYER_PARTS("pointwise", Pointwise)
};

/// The least and the greatest number that a Clip node lets through, -inf and inf where it names none.
std::pair<double, double> clip_bounds(NodeReader& node);

}  // namespace cbnet::kinds
