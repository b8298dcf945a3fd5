#pragma once

#include "autograd/op.h"
#include "tensor/windows.h"

namespace cbnet {

/// There is one number per direction, height then width; square() gives both the same.
namespace ops {

struct Conv2d {
  static constexpr const char* kName = "conv2d";
  struct Args {
    Conv2dOptions options;
    bool has_bias = false;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// Computes the cross-correlation. x (N, C, H, W), weight (O, C/groups, Kh, Kw), bias (O) or undefined ->
/// y (N, O, OH, OW) with OH = (H + 2 padding - dilation (Kh - 1) - 1) / stride + 1, rounded down.
/// Throws std::invalid_argument when the shapes or options do not fit.
inline Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias = {},
                       const Conv2dOptions& options = {}) {
  if (!bias.defined()) return apply<ops::Conv2d>({options, false}, {x, weight});
  return apply<ops::Conv2d>({options, true}, {x, weight, bias});
}

}  // namespace cbnet
