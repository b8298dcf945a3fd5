#pragma once

#include "autograd/ops/batch_norm.h"
#include "layers/module.h"

namespace cbnet {

/// Normalises x (N, C) or (N, C, H, W) per channel (Ioffe and Szegedy 2015): in training mode
/// by the batch's statistics, which also move the running ones; in eval mode by the running ones. Its state
/// has PyTorch's names; older ones, gamma and beta, are loaded too.
class BatchNorm : public Module {
 public:
  explicit BatchNorm(std::int64_t channels, double momentum = 0.1, double eps = 1e-5,
                     DType dtype = DType::f32);
  Variable forward(const Variable& x) override;

  Variable weight;      // gamma, (C)
  Variable bias;        // beta, (C)
  Tensor running_mean;  // (C)
  Tensor running_var;   // (C)

 private:
  double momentum_;
  double eps_;
};

}  // namespace cbnet
