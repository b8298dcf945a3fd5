#include "layers/module.h"

#include <map>

namespace cbnet {

std::vector<std::pair<std::string, Variable>> Module::named_parameters() const {
  std::vector<std::pair<std::string, Variable>> out;
  collect_parameters("", out);
  return out;
}

std::vector<Variable> Module::parameters() const {
  std::vector<Variable> out;
  for (auto& [name, parameter] : named_parameters()) out.push_back(parameter);
  return out;
}

std::int64_t Module::parameter_count() const {
  std::int64_t count = 0;
  for (const Variable& parameter : parameters()) count += parameter.value().numel();
  return count;
}

StateDict Module::state_dict() const {
  StateDict out;
  collect_state("", out);
  return out;
}

void Module::load_state_dict(const StateDict& state) {
  std::map<std::string, const Tensor*> given;
  for (const auto& [name, tensor] : state) given[name] = &tensor;
  StateDict own = state_dict();
  for (const auto& [name, tensor] : own) {
    const auto found = given.find(name);
    require(found != given.end(), "load_state_dict", "entry '", name, "' is missing");
    require(found->second->shape() == tensor.shape() &&
                is_floating(found->second->dtype()) == is_floating(tensor.dtype()),
            "load_state_dict", "entry '", name, "' must be ", tensor, "; got ", *found->second);
    given.erase(found);
  }
  require(given.empty(), "load_state_dict", "this module has no entry '",
          given.empty() ? "" : given.begin()->first, "'");
  for (const auto& [name, tensor] : state) given[name] = &tensor;
  for (auto& [name, tensor] : own) tensor.copy_from(*given.at(name));
}

void Module::train(bool on) {
  training_ = on;
  for (auto& [name, child] : children_) child->train(on);
}

void Module::register_parameter(std::string name, Variable& parameter) {
  if (parameter.defined()) parameters_.emplace_back(std::move(name), &parameter);
}

void Module::register_buffer(std::string name, Tensor& buffer) {
  buffers_.emplace_back(std::move(name), &buffer);
}

void Module::collect_parameters(const std::string& prefix,
                                std::vector<std::pair<std::string, Variable>>& out) const {
  for (const auto& [name, parameter] : parameters_) out.emplace_back(prefix + name, *parameter);
  for (const auto& [name, child] : children_) child->collect_parameters(prefix + name + ".", out);
}

void Module::collect_state(const std::string& prefix, StateDict& out) const {
  for (const auto& [name, parameter] : parameters_) out.emplace_back(prefix + name, parameter->value());
  for (const auto& [name, buffer] : buffers_) out.emplace_back(prefix + name, *buffer);
  for (const auto& [name, child] : children_) child->collect_state(prefix + name + ".", out);
}

Sequential::Sequential(std::vector<std::shared_ptr<Module>> modules) {
  for (auto& module : modules) append(std::move(module));
}

void Sequential::append(std::shared_ptr<Module> module) {
  const std::string name = std::to_string(modules_.size());
  modules_.push_back(register_module(name, std::move(module)));
}

Variable Sequential::forward_range(Variable x, std::size_t begin, std::size_t end) {
  require(begin <= end && end <= size(), "sequential", "expected 0 <= begin <= end <= ", size(), "; got ",
          begin, ", ", end);
  for (std::size_t i = begin; i < end; ++i) x = modules_[i]->forward(x);
  return x;
}

}  // namespace cbnet
