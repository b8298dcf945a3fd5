#pragma once

#include "autograd/ops/batch_norm.h"
#include "layers/module.h"

namespace cbnet {

/// Batch normalisation (Ioffe and Szegedy 2015) of x (N, C) or (N, C, H, W), per channel. In training mode
/// by the batch's statistics, which also move the running ones; in eval mode by the running ones.
class BatchNorm : public Module {
 public:
  explicit BatchNorm(std::int64_t channels, double momentum = 0.1, double eps = 1e-5,
                     DType dtype = DType::f32);
  Variable forward(const Variable& x) override;

  Variable gamma;       // (C)
  Variable beta;        // (C)
  Tensor running_mean;  // (C)
  Tensor running_var;   // (C)

 private:
  double momentum_;
  double eps_;
};

}  // namespace cbnet
