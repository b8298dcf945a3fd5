#pragma once

#include "optim/optimizer.h"

namespace cbnet {

struct SgdOptions {
  double learning_rate = 0.01;
  double momentum = 0.0;
  /// It is added to the gradient as weight_decay * w (L2).
  double weight_decay = 0.0;
  bool nesterov = false;
};

/// This is stochastic gradient descent with momentum (Sutskever et al. 2013, as PyTorch writes it):
///   u = momentum u + g,  w -= lr * u   (Nesterov: w -= lr * (g + momentum u)).
class Sgd : public Optimizer {
 public:
  explicit Sgd(std::vector<Variable> parameters, const SgdOptions& options = {});
  void step() override;

 private:
  SgdOptions options_;
};

}  // namespace cbnet
