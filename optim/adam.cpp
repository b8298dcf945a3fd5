#include "optim/adam.h"

#include <cmath>

#include "tensor/flush_subnormals.h"
#include "tensor/kernels/isa_table.h"
#include "tensor/parallel.h"

namespace cbnet {

Adam::Adam(std::vector<Variable> parameters, const AdamOptions& options)
    : Optimizer(std::move(parameters), options.learning_rate),
      options_(options),
      first_moment_(add_slot("m")),
      second_moment_(add_slot("v")) {
  require(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1, "adam",
          "beta1 and beta2 must be in [0, 1); got ", options.beta1, ", ", options.beta2);
  require(options.eps > 0 && options.weight_decay >= 0, "adam",
          "eps must be positive and weight_decay not negative; got ", options.eps, ", ",
          options.weight_decay);
}

void Adam::step() {
  const FlushSubnormals flush;
  const std::vector<Tensor> slopes = gradients();
  count_step();
  const auto t = static_cast<double>(steps_taken());
  const double correction1 = 1.0 - std::pow(options_.beta1, t);
  const double correction2 = 1.0 - std::pow(options_.beta2, t);
  for (std::size_t i = 0; i < slopes.size(); ++i) {
    Variable& parameter = parameters()[i];
    const Tensor& gradient = slopes[i];
    if (!gradient.defined()) continue;
    dispatch_floating(parameter.dtype(), "adam", [&](auto zero) {
      using T = decltype(zero);
      T* w = parameter.mutable_value().data<T>();
      const T* g = gradient.data<T>();
      T* m = slot(first_moment_, i).template data<T>();
      T* v = slot(second_moment_, i).template data<T>();
      kernels::AdamStep<T> step{};
      step.beta1 = static_cast<T>(options_.beta1);
      step.beta2 = static_cast<T>(options_.beta2);
      step.eps = static_cast<T>(options_.eps);
      step.step_size = static_cast<T>(learning_rate() / correction1);
      step.inverse_root2 = static_cast<T>(1.0 / std::sqrt(correction2));
      step.l2 = static_cast<T>(options_.decoupled ? 0.0 : options_.weight_decay);
      step.shrink = static_cast<T>(options_.decoupled ? learning_rate() * options_.weight_decay : 0.0);
      const auto update = kernels::isa_table<T>().adam;
      constexpr std::int64_t kGrain = 1 << 14;
      parallel_for(gradient.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
        update(step, g + begin, w + begin, m + begin, v + begin, end - begin);
      });
    });
  }
}

}  // namespace cbnet
