#include "optim/sgd.h"

#include "tensor/backend.h"
#include "tensor/flush_subnormals.h"

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
  const std::vector<Tensor> grads = gradients();
  count_step();
  for (std::size_t i = 0; i < grads.size(); ++i) {
    Variable& parameter = parameters()[i];
    const Tensor& gradient = grads[i];
    if (!gradient.defined()) continue;
    backend_of(gradient.device())
        .sgd({.dtype = gradient.dtype(),
              .count = gradient.numel(),
              .rate = learning_rate(),
              .momentum = options_.momentum,
              .decay = options_.weight_decay,
              .nesterov = options_.nesterov,
              .g = gradient.address(),
              .w = parameter.mutable_value().address(),
              .u = slot(velocity_, i).address()});
  }
}

}  // namespace cbnet
