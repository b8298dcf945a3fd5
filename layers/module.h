#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/variable.h"

namespace cbnet {

/// Names are as in "trunk.0.weight", in the order in which the modules were built.
using StateDict = std::vector<std::pair<std::string, Tensor>>;

/// A module is a part of a network: named parameters (trained), named buffers (kept, not trained) and child
/// modules.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  /// A module may be moved, which leaves an empty one; a copy would have the same parameters.
  Module(Module&&) = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  virtual Variable forward(const Variable& x) = 0;
  Variable operator()(const Variable& x) { return forward(x); }

  /// Returns each parameter once, under the first of its names: a module that stands in two places, and a
  /// Variable that two modules share, are tied weights.
  std::vector<std::pair<std::string, Variable>> named_parameters() const;
  std::vector<Variable> parameters() const;
  std::int64_t parameter_count() const;

  /// Returns parameters and buffers, each once, under the first of its names; the tensors share their
  /// elements with the module.
  StateDict state_dict() const;
  /// Copies the elements of `state` in. What has several names here may come under any of them, and under
  /// several when all give the same elements. Throws std::invalid_argument, naming the entry, when one is
  /// missing, unknown, or of another shape; nothing is changed then, nor when memory runs out.
  void load_state_dict(const StateDict& state);

  /// Moves every parameter and buffer to the device. Gradients are dropped; make optimizers afterwards.
  void to(Device device);

  /// Training mode changes what dropout and batch normalisation do. New modules train.
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }

 protected:
  /// Registers a member, e.g. &Linear::weight; one that is undefined (a missing bias) is skipped. A second
  /// name for the same member is one that load_state_dict() takes too.
  template <class M>
  void register_parameter(std::string name, Variable M::*parameter) {
    // Members are found by their place in the module, so that a module may be moved.
    const auto member = static_cast<Variable Module::*>(parameter);
    if ((this->*member).defined()) parameters_.emplace_back(std::move(name), member);
  }
  template <class M>
  void register_buffer(std::string name, Tensor M::*buffer) {
    buffers_.emplace_back(std::move(name), static_cast<Tensor Module::*>(buffer));
  }
  /// Registers and returns `child`, which must not be null.
  template <class M>
  std::shared_ptr<M> register_module(std::string name, std::shared_ptr<M> child) {
    require(child != nullptr, "module", "child '", name, "' is a null pointer (or was moved from)");
    children_.emplace_back(std::move(name), child);
    return child;
  }

 private:
  /// Appends each parameter under every name that it has.
  void collect_parameters(const std::string& prefix,
                          std::vector<std::pair<std::string, Variable>>& out) const;
  /// Appends parameters and buffers, likewise.
  void collect_state(const std::string& prefix, StateDict& out) const;

  std::vector<std::pair<std::string, Variable Module::*>> parameters_;
  std::vector<std::pair<std::string, Tensor Module::*>> buffers_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
  bool training_ = true;
};

/// Runs modules one after the other; children are named "0", "1", …
class Sequential : public Module {
 public:
  Sequential() = default;
  explicit Sequential(std::vector<std::shared_ptr<Module>> modules);

  void append(std::shared_ptr<Module> module);
  Variable forward(const Variable& x) override { return forward_range(x, 0, size()); }
  /// Runs modules begin, …, end - 1 only.
  Variable forward_range(Variable x, std::size_t begin, std::size_t end);
  std::size_t size() const { return modules_.size(); }
  Module& operator[](std::size_t index) { return *modules_.at(index); }

 private:
  std::vector<std::shared_ptr<Module>> modules_;
};

/// Makes sequential(Linear(2, 32), Relu(), Linear(32, 2)): takes modules over, or shares those given by
/// shared_ptr. C++ leaves open which argument is made first, and with it which numbers of default_rng() a
/// layer starts from; layers that are named before, and moved here, start from the same with every compiler.
template <class... Modules>
Sequential sequential(Modules&&... modules) {
  Sequential out;
  const auto append = [&out]<class M>(M&& module) {
    if constexpr (std::is_convertible_v<M, std::shared_ptr<Module>>) {
      out.append(std::forward<M>(module));
    } else {
      static_assert(!std::is_lvalue_reference_v<M>, "std::move the module, or give a shared_ptr to it");
      out.append(std::make_shared<M>(std::forward<M>(module)));
    }
  };
  (append(std::forward<Modules>(modules)), ...);
  return out;
}

}  // namespace cbnet
