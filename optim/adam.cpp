#include "optim/adam.h"

#include <cmath>

#include "tensor/backend.h"
#include "tensor/flush_subnormals.h"

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
  const std::vector<Tensor> grads = gradients();
  count_step();
  const auto t = static_cast<double>(steps_taken());
  const double correction1 = 1.0 - std::pow(options_.beta1, t);
  const double correction2 = 1.0 - std::pow(options_.beta2, t);
  for (std::size_t i = 0; i < grads.size(); ++i) {
    Variable& parameter = parameters()[i];
    const Tensor& gradient = grads[i];
    if (!gradient.defined()) continue;
    backend_of(gradient.device())
        .adam({.dtype = gradient.dtype(),
               .count = gradient.numel(),
               .beta1 = options_.beta1,
               .beta2 = options_.beta2,
               .eps = options_.eps,
               .step_size = learning_rate() / correction1,
               .inverse_root2 = 1.0 / std::sqrt(correction2),
               .l2 = options_.decoupled ? 0.0 : options_.weight_decay,
               .shrink = options_.decoupled ? learning_rate() * options_.weight_decay : 0.0,
               .g = gradient.address(),
               .w = parameter.mutable_value().address(),
               .m = slot(first_moment_, i).address(),
               .v = slot(second_moment_, i).address()});
  }
}

}  // namespace cbnet
