#pragma once

#include <cstdint>

namespace cbnet::kernels {

// These are the numbers of one step of Adam (Kingma and Ba 2015, algorithm 1), element by element:
//   grad = g + l2 * w,  m = beta1 * m + (1 - beta1) * grad,  v = beta2 * v + (1 - beta2) * grad^2,
//   w -= shrink * w + step_size * m / (sqrt(v) * inverse_root2 + eps)
template <class T>
struct AdamStep {
  T beta1, beta2, eps;
  T step_size;      // the learning rate over 1 - beta1^t
  T inverse_root2;  // 1 / sqrt(1 - beta2^t)
  T l2, shrink;
};

}  // namespace cbnet::kernels
