#pragma once

#include <concepts>
#include <initializer_list>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/tape.h"
#include "autograd/variable.h"
#include "tensor/flush_subnormals.h"

// This says what an op is. Each is a struct in autograd/ops/<name>.h:
//
//   struct Relu {
//     static constexpr const char* kName = "relu";
//     struct Args {};                                                   what is not a differentiable input
//     static Shape infer(const Args&, std::span<const Shape>);          shape rule; throws on wrong shapes
//     static Tensor forward(const Args&, Inputs, Saved&);               keeps in Saved what backward needs
//     static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
//   };
//
// and a free function that users call, e.g. Variable relu(const Variable& x).
// An op without a derivative has `static constexpr const char* kNonDifferentiable = "<reason>";` and no
// backward.

namespace cbnet {

using Inputs = std::span<const Tensor>;
/// There is one per input; undefined where Saved::needs_grad says that nobody asks.
using Gradients = std::vector<Tensor>;

/// This is what one recorded call keeps.
struct Saved {
  std::vector<Tensor> tensors;
  std::vector<bool> needs_grad;

  /// `readers[i]` has bit j set when the gradient of input j is made of the elements of kept[i]; by default
  /// every gradient is.
  void keep(std::initializer_list<Tensor> kept, std::initializer_list<unsigned> readers = {});

  /// Notes what backward may rely on: the elements of `tensors` as they were when forward had ended.
  void note_versions() noexcept;
  /// Throws "[op] …", naming the tensor, when one that a requested gradient reads was written to since.
  void require_unchanged(const char* op, const std::vector<Variable>& inputs) const;

 private:
  struct Mark {
    std::uint64_t version;
    unsigned readers;
  };
  std::vector<Mark> marks_;  // one per tensor
  bool is_read(std::size_t tensor) const;
};

template <class Op>
concept Differentiable = requires(const typename Op::Args& args, const Saved& saved, const Tensor& doutput) {
  { Op::backward(args, saved, doutput) } -> std::same_as<Gradients>;
};

template <class Op>
concept NonDifferentiable = requires {
  { Op::kNonDifferentiable } -> std::convertible_to<const char*>;
};

template <class Op>
concept OpType = requires(const typename Op::Args& args, std::span<const Shape> shapes, Inputs inputs,
                          Saved& saved) {
  { Op::kName } -> std::convertible_to<const char*>;
  { Op::infer(args, shapes) } -> std::same_as<Shape>;
  { Op::forward(args, inputs, saved) } -> std::same_as<Tensor>;
}
&&(Differentiable<Op> != NonDifferentiable<Op>);

/// Tells whether an op's forward tells subnormals from zero. Most take them for zeros
/// (tensor/flush_subnormals.h), as every backward and every optimizer does; true where a small input has a
/// large result.
template <class Op>
inline constexpr bool kKeepsSubnormals = false;

namespace detail {

template <OpType Op>
struct OpNode final : Node {
  OpNode(typename Op::Args op_args, std::vector<Variable> op_inputs)
      : Node(Op::kName, std::move(op_inputs)), args(std::move(op_args)) {}
  std::vector<Tensor> backward(const Tensor& doutput) override {
    saved.require_unchanged(op, inputs);
    return Op::backward(args, saved, doutput);
  }
  void release() override { saved = {}; }

  typename Op::Args args;
  Saved saved;
};

}  // namespace detail

/// Checks shapes and dtypes, runs the forward and records the call when a gradient may be asked for.
template <OpType Op>
Variable apply(typename Op::Args args, std::vector<Variable> inputs) {
  std::vector<Tensor> values;
  std::vector<Shape> shapes;
  bool record = false;
  for (const Variable& input : inputs) {
    require(input.defined(), Op::kName, "undefined input");
    require(is_floating(input.dtype()) && input.dtype() == inputs.front().dtype(), Op::kName,
            "inputs must all be f32 or all f64; got ", inputs.front().value(), " and ", input.value());
    require_same_device(inputs.front().value(), input.value(), Op::kName);
    values.push_back(input.value());
    shapes.push_back(input.shape());
    record = record || input.requires_grad();
  }
  const Shape expected = Op::infer(args, shapes);
  const FlushSubnormals flush(!kKeepsSubnormals<Op>);

  if constexpr (Differentiable<Op>) {
    if (record && grad_enabled()) {
      auto node = std::make_shared<detail::OpNode<Op>>(std::move(args), std::move(inputs));
      for (const Variable& input : node->inputs) node->saved.needs_grad.push_back(input.requires_grad());
      Tensor output = Op::forward(node->args, values, node->saved);
      require(output.shape() == expected, Op::kName, "shape rule promised ", expected, "; forward made ",
              output);
      node->saved.note_versions();
      return Variable::from_node(std::move(output), std::move(node));
    }
  }
  Saved nothing;
  nothing.needs_grad.assign(inputs.size(), false);
  Tensor output = Op::forward(args, values, nothing);
  require(output.shape() == expected, Op::kName, "shape rule promised ", expected, "; forward made ", output);
  return Variable(std::move(output));
}

}  // namespace cbnet
