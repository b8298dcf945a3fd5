#include "optim/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <map>
#include <utility>

namespace cbnet {
namespace {

/// Two variables over the same elements would each take a step of their own.
void require_disjoint(const std::vector<Variable>& parameters) {
  std::map<const std::byte*, const std::byte*> ranges;  // begin -> end
  for (const Variable& parameter : parameters) {
    const Tensor& value = parameter.value();
    if (value.numel() == 0) continue;
    const auto* begin = static_cast<const std::byte*>(value.address());
    const auto* end = begin + static_cast<std::size_t>(value.numel()) * size_bytes(value.dtype());
    const auto next = ranges.lower_bound(begin);
    require((next == ranges.end() || next->first >= end) &&
                (next == ranges.begin() || std::prev(next)->second <= begin),
            "optimizer", "two parameters share elements of ", value,
            "; hint: share the Variable itself, which is stepped once");
    ranges.emplace(begin, end);
  }
}

}  // namespace

Optimizer::Optimizer(std::vector<Variable> parameters, double learning_rate) {
  set_learning_rate(learning_rate);
  for (Variable& parameter : parameters) {
    require(parameter.requires_grad() && parameter.value().is_contiguous(), "optimizer",
            "parameters must require gradients and be contiguous; got ", parameter.value());
    const auto same = [&](const Variable& other) { return other.same(parameter); };
    if (std::none_of(parameters_.begin(), parameters_.end(), same)) parameters_.push_back(parameter);
  }
  require_disjoint(parameters_);
  if (!parameters_.empty()) device_ = parameters_.front().value().device();
  for (const Variable& parameter : parameters_)
    require_same_device(parameters_.front().value(), parameter.value(), "optimizer");
}

std::vector<Tensor> Optimizer::gradients() const {
  std::vector<Tensor> out;
  for (const Variable& parameter : parameters_) {
    const Tensor& gradient = parameter.grad();
    require(!gradient.defined() ||
                (gradient.shape() == parameter.shape() && gradient.dtype() == parameter.dtype()),
            "optimizer", "a gradient must be like its parameter; got ", gradient, " for ", parameter.value());
    if (gradient.defined()) {
      require_same_device(parameter.value(), gradient, "optimizer");
      require(gradient.device() == device_, "optimizer", "the parameters were on ", to_string(device_),
              " when it was made; got ", parameter.value(), " on ", to_string(gradient.device()));
    }
    out.push_back(gradient.defined() ? gradient.contiguous() : Tensor());
  }
  return out;
}

Optimizer::StepArrays Optimizer::step_arrays() {
  StepArrays out{gradients(), {{DType::f32, {}}, {DType::f64, {}}}};
  for (StepGroup& group : out.groups) group.parameters.reserve(parameters_.size());
  // A pointer to write through counts as a write: from here on nothing throws.
  for (StepGroup& group : out.groups) {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const Tensor& gradient = out.gradients[i];
      if (!gradient.defined() || gradient.dtype() != group.dtype) continue;
      ParameterArrays arrays{
          gradient.numel(), gradient.address(), parameters_[i].mutable_value().address(), {}};
      for (std::size_t s = 0; s < slots_.size(); ++s) arrays.kept[s] = slots_[s].tensors[i].address();
      group.parameters.push_back(arrays);
    }
  }
  std::erase_if(out.groups, [](const StepGroup& group) { return group.parameters.empty(); });
  return out;
}

void Optimizer::zero_grad() {
  for (Variable& parameter : parameters_) parameter.zero_grad();
}

void Optimizer::set_learning_rate(double learning_rate) {
  require(std::isfinite(learning_rate) && learning_rate >= 0.0, "optimizer",
          "the learning rate must be finite and not negative; got ", learning_rate);
  learning_rate_ = learning_rate;
}

void Optimizer::add_slot(std::string name) {
  require(slots_.size() < std::size(ParameterArrays().kept), "optimizer", "a step takes at most two slots");
  Slot added{std::move(name), {}};
  for (const Variable& parameter : parameters_) {
    added.tensors.push_back(Tensor::zeros(parameter.shape(), parameter.dtype(), parameter.value().device()));
  }
  slots_.push_back(std::move(added));
}

std::vector<std::pair<std::string, Tensor>> Optimizer::state() const {
  std::vector<std::pair<std::string, Tensor>> out;
  for (const Slot& kept : slots_) {
    for (std::size_t i = 0; i < kept.tensors.size(); ++i) {
      out.emplace_back(concat(kept.name, ".", i), kept.tensors[i]);
    }
  }
  out.emplace_back("steps", Tensor::from<std::int64_t>({steps_}, {1}, Device::cpu));
  return out;
}

void Optimizer::load_state(const std::vector<std::pair<std::string, Tensor>>& state) {
  std::vector<std::pair<std::string, Tensor>> own = this->state();
  require(state.size() == own.size(), "optimizer", "expected ", own.size(), " state tensors; got ",
          state.size());
  for (std::size_t i = 0; i < own.size(); ++i) {
    const auto& [name, tensor] = state[i];
    require(name == own[i].first && tensor.shape() == own[i].second.shape() &&
                tensor.dtype() == own[i].second.dtype() && all_finite(tensor),
            "optimizer", "expected state tensor '", own[i].first, "' ", own[i].second,
            " of finite values; got '", name, "' ", tensor);
  }
  const auto steps = static_cast<std::int64_t>(state.back().second.item());
  require(steps >= 0, "optimizer", "the step count must not be negative; got ", steps);
  std::vector<Tensor> sources;
  for (std::size_t i = 0; i < own.size(); ++i) sources.push_back(state[i].second.to(own[i].second.device()));
  for (std::size_t i = 0; i < own.size(); ++i) own[i].second.copy_from(sources[i]);
  steps_ = steps;
}

}  // namespace cbnet
