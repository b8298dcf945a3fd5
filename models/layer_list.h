#pragma once

#include <memory>
#include <vector>

#include "layers/module.h"
#include "models/spec.h"

namespace cbnet {

/// This is the module of a list of LayerSpecs, which run in order and read what their `inputs` say. Children
/// are named "0", "1", …
class LayerList : public Module {
 public:
  /// `input` is the shape of one sample. Throws std::invalid_argument when sizes do not fit.
  LayerList(const LayerSpecs& layers, const Shape& input, Randomness from, Init init, DType dtype);

  Variable forward(const Variable& x) override { return forward_range(x, 0, layers_.size()); }
  /// Runs layers begin, …, end - 1 on what layer begin - 1 made; none of them may read an earlier one.
  Variable forward_range(const Variable& x, std::size_t begin, std::size_t end);

 private:
  struct Entry {
    std::vector<std::int64_t> reads;  // by position
    BuiltLayer layer;
  };
  std::vector<Entry> layers_;
  /// Names the last layer that reads a position; values are let go after it.
  std::vector<std::size_t> last_use_;
};

}  // namespace cbnet
