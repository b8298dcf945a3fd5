#pragma once

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct Mean {
  static constexpr const char* kName = "mean";
  struct Args {
    std::vector<std::int64_t> axes;
    bool keepdim = false;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// Takes the mean over the axes (negative ones count from the end), which disappear, or stay with size 1 when
/// `keepdim`; NaN where there is nothing to average. No axes: nothing is averaged.
/// Throws std::invalid_argument for an axis that x lacks or that is named twice.
inline Variable mean(const Variable& x, const std::vector<std::int64_t>& axes, bool keepdim = false) {
  return apply<ops::Mean>({axes, keepdim}, {x});
}

/// Takes the mean of all elements, a scalar of shape ().
Variable mean(const Variable& x);

}  // namespace cbnet
