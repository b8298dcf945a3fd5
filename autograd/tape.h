#pragma once

#include <cstdint>
#include <vector>

#include "autograd/variable.h"

// The tape: a graph of recorded operations, built while the program runs (define-by-run) and walked once,
// newest first, by backward().

namespace cbnet {

/// A node is one recorded operation.
struct Node {
  Node(const char* op_name, std::vector<Variable> op_inputs);
  virtual ~Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Returns d(loss)/d(input i) for every input, given d(loss)/d(output). Undefined where the input needs
  /// none.
  virtual std::vector<Tensor> backward(const Tensor& doutput) = 0;
  /// Drops saved tensors; the node cannot be walked again.
  virtual void release() = 0;

  const char* op;
  /// Nodes are numbered as they are made, so an input always has a smaller number than its users.
  std::uint64_t sequence;
  /// They are gone once backward() has run through, so that a walk frees the graph as it goes.
  std::vector<Variable> inputs;
  bool released = false;
  /// When a graph ends, this is the next of the nodes that are being let go.
  std::shared_ptr<Node> next_unlinked;
};

/// Tells whether operations of this thread are recorded.
bool grad_enabled();

/// Operations of this thread are not recorded, and keep nothing, while one of these lives.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool previous_;
};

/// Walks the graph below `root`. This is the only place that adds gradients up. The leaves get theirs when
/// the whole walk has succeeded.
void run_backward(const Variable& root, const Tensor& seed);

}  // namespace cbnet
