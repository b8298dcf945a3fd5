#pragma once

#include "optim/optimizer.h"

namespace cbnet {

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  /// It is added to the gradient as weight_decay * w (L2), or, when decoupled, taken from the weight directly
  /// as in Loshchilov and Hutter 2019.
  double weight_decay = 0.0;
  bool decoupled = false;
};

/// This is Adam (Kingma and Ba 2015, algorithm 1), the optimizer of the paper (III-A.3):
///   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
///   w -= lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps).
class Adam : public Optimizer {
 public:
  explicit Adam(std::vector<Variable> parameters, const AdamOptions& options = {});
  void step() override;

 private:
  AdamOptions options_;
};

}  // namespace cbnet
