#pragma once

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct Sum {
  static constexpr const char* kName = "sum";
  struct Args {
    std::vector<std::int64_t> axes;
    bool keepdim = false;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

// sum shares this with other ops that walk along axes.

/// This is a row-major tensor seen from one axis: sizes before it and after it, multiplied.
struct AxisSplit {
  std::int64_t outer;
  std::int64_t size;
  std::int64_t inner;
};

/// Throws "[where] ..." when `shape` lacks the axis.
AxisSplit split_at_axis(const Shape& shape, std::int64_t axis, const char* where);

/// Returns `shape` without the axes, or with size 1 there when `keepdim`. Throws "[where] ..." for an axis
/// that `shape` lacks or that is named twice.
Shape reduced_shape(const Shape& shape, const std::vector<std::int64_t>& axes, bool keepdim,
                    const char* where);

/// Computes factor * the sum over the axes, as a new contiguous tensor. Sums are kept in f64 and rounded
/// once. Their order depends on the shape alone, so the bits depend neither on the strides nor on the
/// threads.
Tensor sum_axes(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdim, double factor = 1.0);

/// Returns `doutput`, whose axes were reduced away, stretched over `shape` again: a view with stride 0.
Tensor stretch_back(const Tensor& doutput, const std::vector<std::int64_t>& axes, const Shape& shape);

}  // namespace ops

/// Takes the sum over the axes (negative ones count from the end), which disappear, or stay with size 1 when
/// `keepdim`. No axes: nothing is summed. Throws std::invalid_argument for an axis that x lacks or that is
/// named twice.
inline Variable sum(const Variable& x, const std::vector<std::int64_t>& axes, bool keepdim = false) {
  return apply<ops::Sum>({axes, keepdim}, {x});
}

/// Takes the sum of all elements, a scalar of shape ().
Variable sum(const Variable& x);

}  // namespace cbnet
