#include "optim/adam.h"

#include <cmath>

#include "tensor/backend.h"
#include "tensor/flush_subnormals.h"

namespace cbnet {

Adam::Adam(std::vector<Variable> parameters, const AdamOptions& options)
    : Optimizer(std::move(parameters), options.learning_rate), options_(options) {
  require(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1, "adam",
          "beta1 and beta2 must be in [0, 1); got ", options.beta1, ", ", options.beta2);
  require(options.eps > 0 && options.weight_decay >= 0, "adam",
          "eps must be positive and weight_decay not negative; got ", options.eps, ", ",
          options.weight_decay);
  add_slot("m");
  add_slot("v");
}

void Adam::step() {
  const FlushSubnormals flush;
  const StepArrays arrays = step_arrays();
  count_step();
  const auto t = static_cast<double>(steps_taken());
  const double correction1 = 1.0 - std::pow(options_.beta1, t);
  const double correction2 = 1.0 - std::pow(options_.beta2, t);
  for (const StepGroup& group : arrays.groups) {
    backend_of(device()).adam({.dtype = group.dtype,
                               .beta1 = options_.beta1,
                               .beta2 = options_.beta2,
                               .eps = options_.eps,
                               .step_size = learning_rate() / correction1,
                               .inverse_root2 = 1.0 / std::sqrt(correction2),
                               .l2 = options_.decoupled ? 0.0 : options_.weight_decay,
                               .shrink = options_.decoupled ? learning_rate() * options_.weight_decay : 0.0,
                               .parameters = group.parameters});
  }
}

}  // namespace cbnet
