#pragma once

#include "autograd/op.h"
#include "tensor/windows.h"

namespace cbnet {
namespace ops {

struct AvgPool2d {
  static constexpr const char* kName = "avg_pool2d";
  struct Args {
    Pool2dOptions options;
    bool count_include_pad = true;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// Takes the mean of every window; shapes as for max_pool2d, without dilation. Padding counts as zeros, or
/// not at all when count_include_pad is false; what hangs over the padding (ceil_mode) never counts. Throws
/// std::invalid_argument when the options are out of range or no window fits.
inline Variable avg_pool2d(const Variable& x, const Pool2dOptions& options, bool count_include_pad = true) {
  return apply<ops::AvgPool2d>({options, count_include_pad}, {x});
}

/// Takes the mean of every plane. x (N, C, H, W) -> (N, C, 1, 1). Throws std::invalid_argument when x has no
/// elements along H or W.
Variable global_avg_pool2d(const Variable& x);

}  // namespace cbnet
