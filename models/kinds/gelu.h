#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// x Phi(x), Phi being the standard normal distribution (Hendrycks and Gimpel 2016); with `approximate_tanh`
/// by the paper's approximation x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
struct Gelu {
  bool approximate_tanh = false;

  CBNET_LAYER_PARTS("gelu", Gelu)
};

}  // namespace cbnet::kinds
