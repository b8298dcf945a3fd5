#include "optim/sgd.h"

#include "tensor/backend.h"
#include "tensor/flush_subnormals.h"

namespace cbnet {

Sgd::Sgd(std::vector<Variable> parameters, const SgdOptions& options)
    : Optimizer(std::move(parameters), options.learning_rate), options_(options) {
  require(options.momentum >= 0 && options.momentum < 1 && options.weight_decay >= 0, "sgd",
          "momentum must be in [0, 1) and weight_decay not negative; got ", options.momentum, ", ",
          options.weight_decay);
  require(!options.nesterov || options.momentum > 0, "sgd", "Nesterov needs a positive momentum");
  add_slot("velocity");
}

void Sgd::step() {
  const FlushSubnormals flush;
  const StepArrays arrays = step_arrays();
  count_step();
  for (const StepGroup& group : arrays.groups) {
    backend_of(device()).sgd({.dtype = group.dtype,
                              .rate = learning_rate(),
                              .momentum = options_.momentum,
                              .decay = options_.weight_decay,
                              .nesterov = options_.nesterov,
                              .parameters = group.parameters});
  }
}

}  // namespace cbnet
