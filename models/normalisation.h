#pragma once

#include <vector>

#include "runtime/graph.h"
#include "tensor/tensor.h"

namespace cbnet {

/// Pixels in [0, 1] become what a network reads so: (pixel - mean) / deviation, channel by channel, where
/// both lists are empty the pixels themselves. The eager engine, a plan and ONNX compute it alike, as pixel +
/// (-mean), then times 1 / deviation, in f32.
struct Normalisation {
  std::vector<double> mean, deviation;

  bool any() const { return !mean.empty(); }
  friend bool operator==(const Normalisation&, const Normalisation&) = default;
};

/// Throws std::invalid_argument unless both lists are empty, or as long as the image has channels (or one for
/// all of them) with finite means and positive deviations.
void check(const Normalisation& normalisation, const Shape& image);

/// Returns the constants, stretched like one sample (C,1,1): what is added, and the factor.
Tensor summand(const Normalisation& normalisation);
Tensor factor(const Normalisation& normalisation);

/// Maps pixels f32 (N,C,H,W) to the same shape; returns them themselves where there is nothing to do.
Tensor normalised(const Tensor& pixels, const Normalisation& normalisation);

/// Does the same in a graph: two nodes that read value `from`, put behind node `from`, before all that read
/// it so far. Their names begin with `prefix`.
void insert_normalisation(runtime::Graph& graph, std::int32_t from, const Normalisation& normalisation,
                          const std::string& prefix);

}  // namespace cbnet
