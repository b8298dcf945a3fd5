#include "autograd/variable.h"

#include "autograd/tape.h"

namespace cbnet {
namespace {
constexpr const char* kUndefined = "undefined variable (default-constructed or moved from)";
}  // namespace

struct Variable::State {
  Tensor value;
  Tensor grad;
  std::shared_ptr<Node> node;
  bool requires_grad = false;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State();
};

// A graph is a chain of shared pointers as long as the program that built it; letting each destructor call
// the next would exhaust the stack. Nodes that only this variable holds are unlinked in a loop instead, in a
// list that runs through themselves: a destructor must not need memory.
Variable::State::~State() {
  std::shared_ptr<Node> pending = std::move(node);
  while (pending) {
    const std::shared_ptr<Node> current = std::move(pending);
    pending = std::move(current->next_unlinked);
    if (current.use_count() > 1) continue;
    // They go one by one: x * x holds x twice, and only the second of the two holds it alone.
    for (Variable& input : current->inputs) {
      if (input.state_.use_count() == 1 && input.state_->node) {
        std::shared_ptr<Node> next = std::move(input.state_->node);
        // A node that somebody else holds stays: it may be in another such list.
        if (next.use_count() == 1) {
          next->next_unlinked = std::move(pending);
          pending = std::move(next);
        }
      }
      input.state_.reset();
    }
  }
}

Variable::Variable(Tensor value, bool requires_grad) : state_(std::make_shared<State>()) {
  require(value.defined(), "variable", "undefined tensor (default-constructed or moved from)");
  require(!requires_grad || is_floating(value.dtype()), "variable", "only f32 and f64 carry gradients; got ",
          value);
  state_->value = std::move(value);
  state_->requires_grad = requires_grad;
}

const Tensor& Variable::value() const {
  require(defined(), "variable", kUndefined);
  return state_->value;
}

Tensor& Variable::mutable_value() {
  require(defined(), "variable", kUndefined);
  return state_->value;
}

bool Variable::requires_grad() const { return defined() && state_->requires_grad; }

const Tensor& Variable::grad() const {
  require(defined(), "variable", kUndefined);
  return state_->grad;
}

Tensor& Variable::mutable_grad() {
  require(defined(), "variable", kUndefined);
  return state_->grad;
}

void Variable::zero_grad() { mutable_grad() = Tensor(); }

void Variable::backward() {
  require(value().numel() == 1, "backward", "only a scalar has an implicit seed; got ", value());
  run_backward(*this, Tensor::ones(shape(), dtype(), value().device()));
}

void Variable::backward(const Tensor& seed) {
  require(seed.defined() && seed.shape() == shape() && seed.dtype() == dtype(), "backward",
          "the seed must look like the variable, ", value(), "; got ", seed);
  require_same_device(value(), seed, "backward");
  run_backward(*this, seed);
}

Variable Variable::detach() const { return Variable(value()); }

const std::shared_ptr<Node>& Variable::node() const {
  require(defined(), "variable", kUndefined);
  return state_->node;
}

Variable Variable::from_node(Tensor value, std::shared_ptr<Node> node) {
  Variable out(std::move(value));
  out.state_->requires_grad = true;
  out.state_->node = std::move(node);
  return out;
}

}  // namespace cbnet
