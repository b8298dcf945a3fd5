#pragma once

#include "autograd/ops/reshape.h"
#include "layers/module.h"

namespace cbnet {

/// (N, …) -> (N, everything else). No copy.
class Flatten : public Module {
 public:
  Variable forward(const Variable& x) override { return flatten(x); }
};

/// (N, …) -> (N, shape…). No copy.
class Unflatten : public Module {
 public:
  explicit Unflatten(Shape shape) : shape_(std::move(shape)) {}
  Variable forward(const Variable& x) override {
    Shape shape = shape_;
    shape.insert(shape.begin(), x.size(0));
    return reshape(x, shape);
  }

 private:
  Shape shape_;
};

}  // namespace cbnet
