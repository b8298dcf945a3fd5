#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// A function of tensor/pointwise.def of every number: "exp", "erf", "sqrt", "pow" with the exponent `a`, …
struct Pointwise {
  std::string function = "neg";
  double a = 0.0;

  CBNET_LAYER_PARTS("pointwise", Pointwise)
};

}  // namespace cbnet::kinds
