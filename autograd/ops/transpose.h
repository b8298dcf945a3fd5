#pragma once

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct Transpose {
  static constexpr const char* kName = "transpose";
  struct Args {
    std::vector<std::int64_t> permutation;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// Axis i of the result is axis permutation[i] of x; entries may be negative. A view: nothing is copied.
/// Throws std::invalid_argument unless every axis is named once.
inline Variable transpose(const Variable& x, const std::vector<std::int64_t>& permutation) {
  return apply<ops::Transpose>({permutation}, {x});
}

/// Exchanges two axes, which may be negative.
Variable transpose(const Variable& x, std::int64_t axis_a, std::int64_t axis_b);

}  // namespace cbnet
