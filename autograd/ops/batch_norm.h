#pragma once

#include "autograd/op.h"

namespace cbnet {

struct BatchNormOptions {
  bool training = true;
  /// This is the fraction of this batch in the running statistics.
  double momentum = 0.1;
  /// It is added to the variance under the root.
  double eps = 1e-5;
};

namespace ops {

struct BatchNorm {
  static constexpr const char* kName = "batch_norm";
  struct Args {
    BatchNormOptions options;
    /// They are (C), of x's dtype.
    Tensor running_mean, running_var;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// y = gamma (x - mean) / sqrt(var + eps) + beta, per channel. x (N, C) or (N, C, H, W); gamma, beta (C).
/// In training, mean and var are the batch's and `running_mean`, `running_var` (C) are updated in place;
/// otherwise mean and var are the running ones.
/// Throws std::invalid_argument when shapes or dtypes do not fit, and in training for fewer than two values
/// per channel.
inline Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta,
                           const Tensor& running_mean, const Tensor& running_var,
                           const BatchNormOptions& options) {
  return apply<ops::BatchNorm>({options, running_mean, running_var}, {x, gamma, beta});
}

}  // namespace cbnet
