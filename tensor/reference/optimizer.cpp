#include <cmath>

#include "tensor/reference/functions.h"

namespace cbnet::reference {

void adam(const AdamCall& call) {
  const Source g(call.g, call.dtype);
  Target w(call.w, call.dtype), m(call.m, call.dtype), v(call.v, call.dtype);
  for (int64_t i = 0; i < call.count; ++i) {
    const double grad = g[i] + call.l2 * w[i];
    m.set(i, call.beta1 * m[i] + (1.0 - call.beta1) * grad);
    v.set(i, call.beta2 * v[i] + (1.0 - call.beta2) * grad * grad);
    w.add(i, -call.shrink * w[i] - call.step_size * m[i] / (std::sqrt(v[i]) * call.inverse_root2 + call.eps));
  }
}

void sgd(const SgdCall& call) {
  const Source g(call.g, call.dtype);
  Target w(call.w, call.dtype), u(call.u, call.dtype);
  for (int64_t i = 0; i < call.count; ++i) {
    const double grad = g[i] + call.decay * w[i];
    u.set(i, call.momentum * u[i] + grad);
    w.add(i, -call.rate * (call.nesterov ? grad + call.momentum * u[i] : u[i]));
  }
}

}  // namespace cbnet::reference
