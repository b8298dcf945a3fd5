#pragma once

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct Matmul {
  static constexpr const char* kName = "matmul";
  struct Args {};
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// c = a b. (M, K) (K, N) -> (M, N); (B, M, K) (B, K, N) -> (B, M, N); (B, M, K) (K, N) -> (B, M, N).
/// Throws std::invalid_argument when the shapes do not fit.
inline Variable matmul(const Variable& a, const Variable& b) { return apply<ops::Matmul>({}, {a, b}); }

}  // namespace cbnet
