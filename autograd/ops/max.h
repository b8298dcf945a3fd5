#pragma once

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct Max {
  static constexpr const char* kName = "max";
  struct Args {
    std::int64_t axis = 0;
    bool keepdim = false;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// Takes the largest element along `axis` (negative ones count from the end), which disappears, or stays with
/// size 1 when `keepdim`. Throws std::invalid_argument when the axis is missing or empty.
inline Variable max(const Variable& x, std::int64_t axis, bool keepdim = false) {
  return apply<ops::Max>({axis, keepdim}, {x});
}

/// Takes the largest of all elements, a scalar of shape (). Throws std::invalid_argument when there are none.
Variable max(const Variable& x);

}  // namespace cbnet
