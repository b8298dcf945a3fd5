#include "layers/linear.h"

#include "autograd/ops/linear.h"

namespace cbnet {

Linear::Linear(std::int64_t in_features, std::int64_t out_features, Rng& rng, bool with_bias, Init init,
               DType dtype)
    : weight(init_weight(init, {out_features, in_features}, rng, dtype), true) {
  if (with_bias) bias = Variable(Tensor::zeros({out_features}, dtype), true);
  register_parameter("weight", &Linear::weight);
  register_parameter("bias", &Linear::bias);
}

Variable Linear::forward(const Variable& x) { return linear(x, weight, bias); }

}  // namespace cbnet
