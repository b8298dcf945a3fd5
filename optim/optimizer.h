#pragma once

#include <utility>
#include <vector>

#include "autograd/variable.h"
#include "tensor/calls.h"

namespace cbnet {

/// Changes parameters by their gradients. Parameters without a gradient are left alone in that step.
class Optimizer {
 public:
  /// A variable that is given twice (tied weights) is one parameter. Throws std::invalid_argument for one
  /// that does not require a gradient or is not contiguous, for two variables over the same elements, and for
  /// two devices.
  explicit Optimizer(std::vector<Variable> parameters, double learning_rate);
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Makes one update; the gradients stay. When it throws, nothing has changed.
  virtual void step() = 0;
  void zero_grad();

  double learning_rate() const { return learning_rate_; }
  /// Throws std::invalid_argument unless finite and >= 0.
  void set_learning_rate(double learning_rate);
  std::int64_t steps_taken() const { return steps_; }

  /// Returns everything besides the parameters that the next step depends on, as named tensors (moments, and
  /// the step count as i64 (1)); a checkpoint holds it. load_state throws when it is not this optimizer's.
  std::vector<std::pair<std::string, Tensor>> state() const;
  void load_state(const std::vector<std::pair<std::string, Tensor>>& state);

 protected:
  /// Makes zeroed tensors, one like each parameter, saved under "<name>.<index>": at most two times.
  void add_slot(std::string name);
  void count_step() { ++steps_; }
  /// These are the parameters of one dtype that have a gradient, with what the slots keep beside them.
  struct StepGroup {
    DType dtype;
    std::vector<ParameterArrays> parameters;
  };
  /// A step goes through this: the groups, and the contiguous gradients that its arrays point into.
  struct StepArrays {
    std::vector<Tensor> gradients;
    std::vector<StepGroup> groups;
  };
  /// Returns what a step goes through. Whatever a step can fail of fails here, before it changes anything;
  /// throws when a gradient's shape or dtype is not the parameter's.
  StepArrays step_arrays();
  Device device() const { return device_; }

 private:
  std::vector<Tensor> gradients() const;

  struct Slot {
    std::string name;
    std::vector<Tensor> tensors;
  };
  std::vector<Variable> parameters_;
  std::vector<Slot> slots_;
  Device device_ = Device::cpu;
  double learning_rate_ = 0.0;
  std::int64_t steps_ = 0;
};

}  // namespace cbnet
