#include "layers/batch_norm.h"

namespace cbnet {

BatchNorm::BatchNorm(std::int64_t channels, double momentum, double eps, DType dtype)
    : weight(Tensor::ones({channels}, dtype), true),
      bias(Tensor::zeros({channels}, dtype), true),
      running_mean(Tensor::zeros({channels}, dtype)),
      running_var(Tensor::ones({channels}, dtype)),
      momentum_(momentum),
      eps_(eps) {
  register_parameter("weight", &BatchNorm::weight);
  register_parameter("bias", &BatchNorm::bias);
  register_buffer("running_mean", &BatchNorm::running_mean);
  register_buffer("running_var", &BatchNorm::running_var);
  // Files that were written before this have these names.
  register_parameter("gamma", &BatchNorm::weight);
  register_parameter("beta", &BatchNorm::bias);
}

Variable BatchNorm::forward(const Variable& x) {
  return batch_norm(x, weight, bias, running_mean, running_var, {training(), momentum_, eps_});
}

}  // namespace cbnet
