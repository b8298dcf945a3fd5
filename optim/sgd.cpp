#include "optim/sgd.h"

#include "tensor/flush_subnormals.h"
#include "tensor/parallel.h"

namespace cbnet {

Sgd::Sgd(std::vector<Variable> parameters, const SgdOptions& options)
    : Optimizer(std::move(parameters), options.learning_rate),
      options_(options),
      velocity_(add_slot("velocity")) {
  require(options.momentum >= 0 && options.momentum < 1 && options.weight_decay >= 0, "sgd",
          "momentum must be in [0, 1) and weight_decay not negative; got ", options.momentum, ", ",
          options.weight_decay);
  require(!options.nesterov || options.momentum > 0, "sgd", "Nesterov needs a positive momentum");
}

void Sgd::step() {
  const FlushSubnormals flush;
  const std::vector<Tensor> slopes = gradients();
  count_step();
  for (std::size_t i = 0; i < slopes.size(); ++i) {
    Variable& parameter = parameters()[i];
    const Tensor& gradient = slopes[i];
    if (!gradient.defined()) continue;
    dispatch_floating(parameter.dtype(), "sgd", [&](auto zero) {
      using T = decltype(zero);
      T* w = parameter.mutable_value().data<T>();
      const T* g = gradient.data<T>();
      T* u = slot(velocity_, i).template data<T>();
      const T lr = static_cast<T>(learning_rate());
      const T momentum = static_cast<T>(options_.momentum);
      const T decay = static_cast<T>(options_.weight_decay);
      constexpr std::int64_t kGrain = 1 << 14;
      parallel_for(gradient.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t e = begin; e < end; ++e) {
          const T slope = g[e] + decay * w[e];
          u[e] = momentum * u[e] + slope;
          w[e] -= lr * (options_.nesterov ? slope + momentum * u[e] : u[e]);
        }
      });
    });
  }
}

}  // namespace cbnet
