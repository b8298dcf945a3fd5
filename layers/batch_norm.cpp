#include "layers/batch_norm.h"

namespace cbnet {

BatchNorm::BatchNorm(std::int64_t channels, double momentum, double eps, DType dtype)
    : gamma(Tensor::ones({channels}, dtype), true),
      beta(Tensor::zeros({channels}, dtype), true),
      running_mean(Tensor::zeros({channels}, dtype)),
      running_var(Tensor::ones({channels}, dtype)),
      momentum_(momentum),
      eps_(eps) {
  register_parameter("gamma", gamma);
  register_parameter("beta", beta);
  register_buffer("running_mean", running_mean);
  register_buffer("running_var", running_var);
}

Variable BatchNorm::forward(const Variable& x) {
  return batch_norm(x, gamma, beta, running_mean, running_var, {training(), momentum_, eps_});
}

}  // namespace cbnet
