#pragma once

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct Linear {
  static constexpr const char* kName = "linear";
  struct Args {
    bool has_bias = false;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// y = x W^T + b. x (N, in), weight (out, in), bias (out) or undefined -> y (N, out).
/// Throws std::invalid_argument when the shapes do not fit.
inline Variable linear(const Variable& x, const Variable& weight, const Variable& bias = {}) {
  if (!bias.defined()) return apply<ops::Linear>({false}, {x, weight});
  return apply<ops::Linear>({true}, {x, weight, bias});
}

}  // namespace cbnet
