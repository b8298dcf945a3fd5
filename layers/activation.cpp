#include "layers/activation.h"

#include "autograd/ops/log_softmax.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/softmax.h"

namespace cbnet {

const char* to_string(ActivationKind kind) {
  constexpr const char* kNames[] = {"relu", "leaky_relu", "sigmoid", "tanh", "softmax", "log_softmax"};
  return kNames[static_cast<int>(kind)];
}

Variable Activation::forward(const Variable& x) {
  switch (kind_) {
    case ActivationKind::relu:
      return relu(x);
    case ActivationKind::leaky_relu:
      return leaky_relu(x, slope_);
    case ActivationKind::sigmoid:
      return sigmoid(x);
    case ActivationKind::tanh:
      return tanh(x);
    case ActivationKind::softmax:
      return softmax(x, -1);
    case ActivationKind::log_softmax:
      break;
  }
  return log_softmax(x, -1);
}

}  // namespace cbnet
