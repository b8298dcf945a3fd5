#include "layers/module.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace cbnet {

namespace {

/// Tells whether two tensors are one: the same elements in the same layout.
bool same_view(const Tensor& a, const Tensor& b) {
  return a.shares_storage(b) && a.dtype() == b.dtype() && a.shape() == b.shape() &&
         a.strides() == b.strides() && a.address() == b.address();
}

bool same_view(const Variable& a, const Variable& b) { return a.same(b); }

/// Finds the first entry of `entries` that is the same thing as `requested`.
template <class Entries, class T>
auto first_of(Entries& entries, const T& requested) {
  return std::find_if(entries.begin(), entries.end(),
                      [&](const auto& entry) { return same_view(entry.second, requested); });
}

template <class Entries>
Entries each_once(const Entries& entries) {
  Entries out;
  for (const auto& entry : entries) {
    if (first_of(out, entry.second) == out.end()) out.push_back(entry);
  }
  return out;
}

bool same_elements(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && dispatch(a.dtype(), [&](auto zero) {
           using T = decltype(zero);
           const std::vector<T> left = a.to_vector<T>(), right = b.to_vector<T>();
           return std::memcmp(left.data(), right.data(), left.size() * sizeof(T)) == 0;
         });
}

}  // namespace

std::vector<std::pair<std::string, Variable>> Module::named_parameters() const {
  std::vector<std::pair<std::string, Variable>> out;
  collect_parameters("", out);
  return each_once(out);
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
  return each_once(out);
}

void Module::load_state_dict(const StateDict& state) {
  std::map<std::string, const Tensor*> given;
  for (const auto& [name, tensor] : state) given[name] = &tensor;
  StateDict names;
  collect_state("", names);
  StateDict own = each_once(names);
  std::vector<std::pair<std::string, Tensor>> sources(own.size());  // the entry that each is taken from
  for (const auto& [name, tensor] : names) {
    const auto found = given.find(name);
    if (found == given.end()) continue;
    require(found->second->shape() == tensor.shape() &&
                is_floating(found->second->dtype()) == is_floating(tensor.dtype()),
            "load_state_dict", "entry '", name, "' must be ", tensor, "; got ", *found->second);
    auto& [other_name, source] = sources[static_cast<std::size_t>(first_of(own, tensor) - own.begin())];
    require(!source.defined() || same_elements(source, found->second->to(tensor.dtype())), "load_state_dict",
            "entries '", other_name, "' and '", name,
            "' must have the same elements: they are one tensor here");
    if (!source.defined()) {
      other_name = name;
      source = found->second->to(tensor.dtype()).contiguous().to(tensor.device());
    }
    given.erase(found);
  }
  for (std::size_t i = 0; i < own.size(); ++i) {
    require(sources[i].second.defined(), "load_state_dict", "entry '", own[i].first, "' is missing");
  }
  require(given.empty(), "load_state_dict", "this module has no entry '",
          given.empty() ? "" : given.begin()->first, "'");
  for (std::size_t i = 0; i < own.size(); ++i) own[i].second.copy_from(sources[i].second);
}

void Module::to(Device device) {
  for (auto& [name, parameter] : parameters_) {
    Variable& variable = this->*parameter;
    variable.mutable_value() = variable.value().to(device);
    variable.zero_grad();
  }
  for (auto& [name, buffer] : buffers_) this->*buffer = (this->*buffer).to(device);
  for (auto& [name, child] : children_) child->to(device);
}

void Module::train(bool on) {
  training_ = on;
  for (auto& [name, child] : children_) child->train(on);
}

void Module::collect_parameters(const std::string& prefix,
                                std::vector<std::pair<std::string, Variable>>& out) const {
  for (const auto& [name, parameter] : parameters_) out.emplace_back(prefix + name, this->*parameter);
  for (const auto& [name, child] : children_) child->collect_parameters(prefix + name + ".", out);
}

void Module::collect_state(const std::string& prefix, StateDict& out) const {
  for (const auto& [name, parameter] : parameters_)
    out.emplace_back(prefix + name, (this->*parameter).value());
  for (const auto& [name, buffer] : buffers_) out.emplace_back(prefix + name, this->*buffer);
  for (const auto& [name, child] : children_) child->collect_state(prefix + name + ".", out);
}

Sequential::Sequential(std::vector<std::shared_ptr<Module>> modules) {
  for (auto& module : modules) append(std::move(module));
}

void Sequential::append(std::shared_ptr<Module> module) {
  const std::string name = std::to_string(modules_.size());
  modules_.reserve(modules_.size() + 1);  // or it could be a child that forward() leaves out
  modules_.push_back(register_module(name, std::move(module)));
}

Variable Sequential::forward_range(Variable x, std::size_t begin, std::size_t end) {
  require(begin <= end && end <= size(), "sequential", "expected 0 <= begin <= end <= ", size(), "; got ",
          begin, ", ", end);
  for (std::size_t i = begin; i < end; ++i) x = modules_[i]->forward(x);
  return x;
}

}  // namespace cbnet
