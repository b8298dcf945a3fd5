#include "autograd/tape.h"

#include <atomic>
#include <functional>
#include <map>

#include "autograd/ops/pointwise.h"
#include "tensor/flush_subnormals.h"

namespace cbnet {
namespace {

thread_local bool recording = true;
std::atomic<std::uint64_t> next_sequence{0};

struct Pending {
  std::shared_ptr<Node> node;
  Tensor doutput;
};

struct LeafGradient {
  Variable leaf;
  Tensor sum;
};

}  // namespace

Node::Node(const char* op_name, std::vector<Variable> op_inputs)
    : op(op_name), sequence(next_sequence++), inputs(std::move(op_inputs)) {}

bool grad_enabled() { return recording; }

NoGrad::NoGrad() : previous_(recording) { recording = false; }
NoGrad::~NoGrad() { recording = previous_; }

void run_backward(const Variable& root, const Tensor& seed) {
  require(root.requires_grad(), "backward",
          "this variable was not computed from anything that requires a gradient");

  // The newest comes first: when a node is taken, every user of its output has already contributed.
  std::map<std::uint64_t, Pending, std::greater<>> pending;
  std::map<const void*, LeafGradient> leaves;  // by the identity of their gradient
  const auto sum_of = [&](Variable& target) -> Tensor& {
    if (target.node()) {
      Pending& user = pending[target.node()->sequence];
      user.node = target.node();
      return user.doutput;
    }
    LeafGradient& leaf = leaves[&target.grad()];
    if (!leaf.leaf.defined()) leaf = {target, target.grad()};
    return leaf.sum;
  };
  const auto deliver = [&](Variable target, const Tensor& gradient, const Tensor& source) {
    require(gradient.shape() == target.shape() && gradient.dtype() == target.dtype(), "backward",
            "a gradient must look like its variable, ", target.value(), "; got ", gradient);
    Tensor& sum = sum_of(target);
    // The first contribution is shared, not copied; a second one must not write into somebody's tensor.
    // Leaves outlive the walk and are written to (clipping), so they get neither a stretched view nor a view
    // of what the gradient was made from, be it the caller's seed.
    if (!sum.defined()) {
      const bool shared = !gradient.is_contiguous() || gradient.shares_storage(source);
      sum = !target.node() && shared ? gradient.clone() : gradient;
    } else {
      sum = add(sum, gradient).value();
    }
  };
  const NoGrad no_grad;
  deliver(root, seed, seed);

  const FlushSubnormals flush;
  while (!pending.empty()) {
    const Pending current = std::move(pending.begin()->second);
    pending.erase(pending.begin());
    Node& node = *current.node;
    require(!node.released, node.op, "backward() ran through here before and freed what it needed");
    const std::vector<Tensor> gradients = node.backward(current.doutput);
    require(gradients.size() == node.inputs.size(), node.op, "backward must return one gradient per input");
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (node.inputs[i].requires_grad() && gradients[i].defined()) {
        deliver(node.inputs[i], gradients[i], current.doutput);
      }
    }
    node.release();
    node.inputs.clear();
    node.released = true;
  }
  for (auto& [identity, leaf] : leaves) leaf.leaf.mutable_grad() = std::move(leaf.sum);
}

}  // namespace cbnet
