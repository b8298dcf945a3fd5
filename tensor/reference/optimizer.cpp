#include <cmath>

#include "tensor/reference/functions.h"

namespace cbnet::reference {

void adam(const AdamCall& call) {
  for (const ParameterArrays& p : call.parameters) {
    const Source g(p.g, call.dtype);
    Target w(p.w, call.dtype), m(p.kept[0], call.dtype), v(p.kept[1], call.dtype);
    for (int64_t i = 0; i < p.count; ++i) {
      const double grad = g[i] + call.l2 * w[i];
      m.set(i, call.beta1 * m[i] + (1.0 - call.beta1) * grad);
      v.set(i, call.beta2 * v[i] + (1.0 - call.beta2) * grad * grad);
      const double root = std::sqrt(v[i]) * call.inverse_root2 + call.eps;
      w.add(i, -call.shrink * w[i] - call.step_size * m[i] / root);
    }
  }
}

void sgd(const SgdCall& call) {
  for (const ParameterArrays& p : call.parameters) {
    const Source g(p.g, call.dtype);
    Target w(p.w, call.dtype), u(p.kept[0], call.dtype);
    for (int64_t i = 0; i < p.count; ++i) {
      const double grad = g[i] + call.decay * w[i];
      u.set(i, call.momentum * u[i] + grad);
      w.add(i, -call.rate * (call.nesterov ? grad + call.momentum * u[i] : u[i]));
    }
  }
}

}  // namespace cbnet::reference
