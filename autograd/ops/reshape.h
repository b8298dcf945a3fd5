#pragma once

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct Reshape {
  static constexpr const char* kName = "reshape";
  struct Args {
    Shape shape;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// Returns the same elements, in row-major order, with another shape, of which one size may be -1: a view
/// where the strides allow it. Throws std::invalid_argument when the number of elements would change.
inline Variable reshape(const Variable& x, const Shape& shape) { return apply<ops::Reshape>({shape}, {x}); }

/// Merges all axes from `start_axis` on: (N, C, H, W) -> (N, C H W).
/// Throws std::invalid_argument when x has no such axis.
Variable flatten(const Variable& x, std::int64_t start_axis = 1);

}  // namespace cbnet
