// `adam` and `sgd` in tensor/reference/optimizer.cpp define what this file computes.
#include "tensor/cpu/functions.h"
#include "tensor/cpu/kernels/isa_table.h"

namespace cbnet::cpu {
namespace {
constexpr std::int64_t kGrain = 1 << 14;
}  // namespace

template <class T>
void adam_of(const AdamCall& call) {
  const auto narrow = [](double value) { return static_cast<T>(value); };
  const kernels::AdamStep<T> step{.beta1 = narrow(call.beta1),
                                  .beta2 = narrow(call.beta2),
                                  .eps = narrow(call.eps),
                                  .step_size = narrow(call.step_size),
                                  .inverse_root2 = narrow(call.inverse_root2),
                                  .l2 = narrow(call.l2),
                                  .shrink = narrow(call.shrink)};
  const auto update = kernels::isa_table<T>().adam;
  for (const ParameterArrays& p : call.parameters) {
    parallel_for(p.count, kGrain, [&](std::int64_t begin, std::int64_t end) {
      update(step, as<T>(p.g) + begin, as<T>(p.w) + begin, as<T>(p.kept[0]) + begin, as<T>(p.kept[1]) + begin,
             end - begin);
    });
  }
}
CBNET_BY_DTYPE(adam, AdamCall)

template <class T>
void sgd_of(const SgdCall& call) {
  const T rate = static_cast<T>(call.rate), momentum = static_cast<T>(call.momentum);
  const T decay = static_cast<T>(call.decay);
  for (const ParameterArrays& p : call.parameters) {
    const T* g = as<T>(p.g);
    T *w = as<T>(p.w), *u = as<T>(p.kept[0]);
    parallel_for(p.count, kGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t e = begin; e < end; ++e) {
        const T grad = g[e] + decay * w[e];
        u[e] = momentum * u[e] + grad;
        w[e] -= rate * (call.nesterov ? grad + momentum * u[e] : u[e]);
      }
    });
  }
}
CBNET_BY_DTYPE(sgd, SgdCall)

}  // namespace cbnet::cpu
