#pragma once

#include "layers/module.h"

namespace cbnet {

enum class ActivationKind { relu, leaky_relu, sigmoid, tanh, softmax, log_softmax };

const char* to_string(ActivationKind kind);

/// A pointwise activation, or softmax or its logarithm over the last axis. x -> same shape.
class Activation : public Module {
 public:
  /// `slope` is that of leaky_relu below zero.
  explicit Activation(ActivationKind kind, double slope = 0.01) : kind_(kind), slope_(slope) {}
  Variable forward(const Variable& x) override;

 private:
  ActivationKind kind_;
  double slope_;
};

}  // namespace cbnet
