#pragma once

#include "autograd/ops/log_softmax.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/softmax.h"
#include "layers/module.h"

namespace cbnet {

/// Makes a function of one variable a module. x -> same shape.
template <Variable (*function)(const Variable&)>
class Activation : public Module {
 public:
  Variable forward(const Variable& x) override { return function(x); }
};

using Relu = Activation<relu>;
using Sigmoid = Activation<sigmoid>;
using Tanh = Activation<tanh>;

/// y = max(x, 0) + slope min(x, 0).
class LeakyRelu : public Module {
 public:
  explicit LeakyRelu(double slope = 0.01) : slope_(slope) {}
  Variable forward(const Variable& x) override { return leaky_relu(x, slope_); }

 private:
  double slope_;
};

/// Makes a function along an axis a module. x -> same shape.
template <Variable (*function)(const Variable&, std::int64_t)>
class AxisActivation : public Module {
 public:
  explicit AxisActivation(std::int64_t axis = -1) : axis_(axis) {}
  Variable forward(const Variable& x) override { return function(x, axis_); }

 private:
  std::int64_t axis_;
};

using Softmax = AxisActivation<softmax>;
using LogSoftmax = AxisActivation<log_softmax>;

}  // namespace cbnet
