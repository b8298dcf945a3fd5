#pragma once

#include <concepts>

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct Concat {
  static constexpr const char* kName = "concat";
  struct Args {
    std::int64_t axis = 0;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// Puts the inputs one after another along `axis`, which may be negative. All other sizes must agree.
/// Throws std::invalid_argument when they do not, or for an empty list.
// A template, so that it wins over the variadic cbnet::concat of tensor/error.h for every integer type.
template <std::integral Axis>
Variable concat(const std::vector<Variable>& xs, Axis axis) {
  require(!xs.empty(), ops::Concat::kName, "expected at least one input; got none");
  return apply<ops::Concat>({static_cast<std::int64_t>(axis)}, xs);
}

}  // namespace cbnet
