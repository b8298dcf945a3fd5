#pragma once

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct CrossEntropy {
  static constexpr const char* kName = "cross_entropy";
  struct Args {
    /// They are i64 (N), of any device; copied to that of the logits.
    Tensor labels;
    double label_smoothing = 0.0;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// Takes the mean over N of -ln softmax(logits)[label], a scalar. logits (N, C), labels i64 (N), each in [0,
/// C). label_smoothing moves that fraction of the label's weight evenly to all C classes. Throws
/// std::invalid_argument for wrong shapes, N == 0, a label out of range, or smoothing outside [0, 1].
inline Variable cross_entropy(const Variable& logits, const Tensor& labels, double label_smoothing = 0.0) {
  return apply<ops::CrossEntropy>({labels, label_smoothing}, {logits});
}

}  // namespace cbnet
