#pragma once

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct SoftmaxEntropy {
  static constexpr const char* kName = "softmax_entropy";
  struct Args {};
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// Computes -sum p ln p (in nats, 0 to ln C) with p = softmax(logits), for every row. logits (N, C) -> (N).
/// Small where the classifier is sure: the exit score of BranchyNet.
/// Throws std::invalid_argument unless logits have 2 axes and C > 0.
inline Variable softmax_entropy(const Variable& logits) { return apply<ops::SoftmaxEntropy>({}, {logits}); }

}  // namespace cbnet
