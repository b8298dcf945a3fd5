#pragma once

#include "autograd/ops/dropout.h"
#include "layers/module.h"

namespace cbnet {

/// Zeroes elements with probability p and scales the rest by 1 / (1 - p) in training mode (Srivastava et
/// al. 2014); the identity in eval mode. `rng` must outlive the layer, and runs in its thread where it is the
/// default; a checkpoint holds its state.
class Dropout : public Module {
 public:
  explicit Dropout(double p, Rng& rng = default_rng()) : p_(p), rng_(rng) {}
  Variable forward(const Variable& x) override { return dropout(x, p_, training(), rng_); }

 private:
  double p_;
  Rng& rng_;
};

}  // namespace cbnet
