#include "optim/optimizer.h"

#include <cmath>

namespace cbnet {

Optimizer::Optimizer(std::vector<Variable> parameters, double learning_rate)
    : parameters_(std::move(parameters)) {
  set_learning_rate(learning_rate);
  for (const Variable& parameter : parameters_) {
    require(parameter.requires_grad() && parameter.value().is_contiguous(), "optimizer",
            "parameters must require gradients and be contiguous");
  }
}

void Optimizer::zero_grad() {
  for (Variable& parameter : parameters_) parameter.zero_grad();
}

void Optimizer::set_learning_rate(double learning_rate) {
  require(std::isfinite(learning_rate) && learning_rate >= 0.0, "optimizer",
          "the learning rate must be finite and not negative; got ", learning_rate);
  learning_rate_ = learning_rate;
}

std::size_t Optimizer::add_slot(std::string name) {
  Slot added{std::move(name), {}};
  for (const Variable& parameter : parameters_) {
    added.tensors.push_back(Tensor::zeros(parameter.shape(), parameter.dtype()));
  }
  slots_.push_back(std::move(added));
  return slots_.size() - 1;
}

std::vector<std::pair<std::string, Tensor>> Optimizer::state() const {
  std::vector<std::pair<std::string, Tensor>> out;
  for (const Slot& kept : slots_) {
    for (std::size_t i = 0; i < kept.tensors.size(); ++i) {
      out.emplace_back(concat(kept.name, ".", i), kept.tensors[i]);
    }
  }
  out.emplace_back("steps", Tensor::from<std::int64_t>({steps_}, {1}));
  return out;
}

void Optimizer::load_state(const std::vector<std::pair<std::string, Tensor>>& state) {
  std::vector<std::pair<std::string, Tensor>> own = this->state();
  require(state.size() == own.size(), "optimizer", "expected ", own.size(), " state tensors; got ",
          state.size());
  for (std::size_t i = 0; i < own.size(); ++i) {
    require(state[i].first == own[i].first && state[i].second.shape() == own[i].second.shape(), "optimizer",
            "expected state tensor '", own[i].first, "' ", to_string(own[i].second.shape()), "; got '",
            state[i].first, "' ", to_string(state[i].second.shape()));
  }
  for (std::size_t i = 0; i < own.size(); ++i) own[i].second.copy_from(state[i].second);
  steps_ = static_cast<std::int64_t>(own.back().second.item());
}

}  // namespace cbnet
