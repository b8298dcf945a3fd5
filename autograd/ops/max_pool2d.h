#pragma once

#include "autograd/op.h"
#include "tensor/windows.h"

namespace cbnet {
namespace ops {

struct MaxPool2d {
  static constexpr const char* kName = "max_pool2d";
  using Args = Pool2dOptions;
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// Takes the largest element of every window. x (N, C, H, W) -> (N, C, OH, OW) with
/// OH = (H + 2 padding - dilation (K - 1) - 1) / stride + 1, rounded down, or up with ceil_mode; a window
/// that would start beyond the input and its left padding is dropped. E.g. Pool2dOptions::square(2, 2).
/// Throws std::invalid_argument when the options are out of range or no window fits.
inline Variable max_pool2d(const Variable& x, const Pool2dOptions& options) {
  return apply<ops::MaxPool2d>(options, {x});
}

}  // namespace cbnet
