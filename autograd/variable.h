#pragma once

#include <memory>

#include "tensor/tensor.h"

namespace cbnet {

struct Node;

/// A variable is a tensor that remembers how it was computed. Copies share the value, the gradient and the
/// history.
class Variable {
 public:
  /// Makes an undefined variable, e.g. a missing bias. defined(), requires_grad() (false) and same() may be
  /// asked of it; everything else throws. A variable that was moved from is undefined too.
  Variable() = default;
  /// Makes a leaf; a Tensor goes wherever a Variable is expected. Throws std::invalid_argument when the
  /// tensor is undefined, or is one of integers that is to require a gradient.
  Variable(Tensor value, bool requires_grad = false);  // NOLINT(google-explicit-constructor)

  bool defined() const { return state_ != nullptr; }
  const Tensor& value() const;
  /// Optimizers and initialisers change the elements here; the history stays. A backward() that needs the
  /// elements that its forward saw throws when they have changed in between.
  Tensor& mutable_value();
  const Shape& shape() const { return value().shape(); }
  std::int64_t size(std::int64_t axis) const { return value().size(axis); }
  DType dtype() const { return value().dtype(); }
  /// Returns the only element, as a double.
  double item() const { return value().item(); }

  /// It is true for leaves that were asked to, and for everything computed from them outside no_grad.
  bool requires_grad() const;
  /// Returns d(loss)/d(this), summed over every backward() since zero_grad(); undefined before the first.
  const Tensor& grad() const;
  Tensor& mutable_grad();
  void zero_grad();

  /// Fills grad() of every leaf that this scalar was computed from; frees the history. When it throws, no
  /// grad() has changed, and the forward has to be run again.
  void backward();
  /// Starts from a given d(loss)/d(this), of this variable's shape and dtype.
  void backward(const Tensor& seed);

  /// Returns the same elements without the history.
  Variable detach() const;

  /// Returns the recorded operation that made this variable; null for leaves. For the tape.
  const std::shared_ptr<Node>& node() const;
  static Variable from_node(Tensor value, std::shared_ptr<Node> node);
  bool same(const Variable& other) const { return state_ == other.state_; }

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace cbnet
