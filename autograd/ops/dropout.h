#pragma once

#include "autograd/op.h"

namespace cbnet {
namespace ops {

struct Dropout {
  static constexpr const char* kName = "dropout";
  struct Args {
    double p = 0.5;
    bool training = true;
    /// Forward alone uses it, so it must outlive the call, not the graph.
    Rng* rng = nullptr;
  };
  static Shape infer(const Args&, std::span<const Shape>);
  static Tensor forward(const Args&, Inputs, Saved&);
  static Gradients backward(const Args&, const Saved&, const Tensor& doutput);
};

}  // namespace ops

/// In training every element becomes 0 with probability p and grows by 1 / (1 - p) otherwise; `rng` is
/// drawn from once per element, in row-major order. Outside training, x itself, and nothing is drawn.
/// Throws std::invalid_argument unless 0 <= p < 1.
inline Variable dropout(const Variable& x, double p, bool training, Rng& rng) {
  return apply<ops::Dropout>({p, training, &rng}, {x});
}

}  // namespace cbnet
