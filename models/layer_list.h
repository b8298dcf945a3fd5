#pragma once

#include <memory>
#include <vector>

#include "layers/module.h"
#include "models/spec.h"
#include "tensor/rng.h"

namespace cbnet {

/// What a new network draws from: separate streams of one seed, so that a change to one use does not shift
/// the other's numbers.
struct Randomness {
  Rng& weights;
  Rng& dropout;
};

/// The module of a list of LayerSpecs, which run in order and read what their `inputs` say. Children are
/// named "0", "1", …
class LayerList : public Module {
 public:
  /// `input` is the shape of one sample. Throws std::invalid_argument when sizes do not fit.
  LayerList(LayerSpecs layers, const Shape& input, Randomness from, Init init, DType dtype);

  Variable forward(const Variable& x) override { return forward_range(x, 0, layers_.size()); }
  /// Runs layers begin, …, end - 1 on what layer begin - 1 made; none of them may read an earlier one.
  Variable forward_range(const Variable& x, std::size_t begin, std::size_t end);

 private:
  Variable join(const LayerSpec& layer, const std::vector<Variable>& inputs) const;

  LayerSpecs layers_;
  std::vector<std::shared_ptr<Module>> modules_;  // null for what only joins layers
  /// The last layer that reads a position; values are let go after it.
  std::vector<std::size_t> last_use_;
};

}  // namespace cbnet
