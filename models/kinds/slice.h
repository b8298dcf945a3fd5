#pragma once

#include "models/layer.h"

namespace cbnet {
class NodeReader;
}

namespace cbnet::kinds {

/// Elements start, start + step, … along one axis, `size` of them; a negative step goes backwards.
struct Slice {
  std::int64_t axis = 0, start = 0, size = 1, step = 1;

  CBNET_LAYER_PARTS("slice", Slice)
};

/// What is at `positions` of an axis, as few slices one after the other.
std::vector<Slice> slices_at(std::int64_t axis, const std::vector<std::int64_t>& positions);

/// A Slice node of ONNX asks for this along one axis.
struct OnnxSlice {
  std::int64_t axis = 0, start = 0, end = 0, step = 1;

  /// Along n elements: the end is not part of it, negative positions count from behind, and what is outside
  /// is cut off.
  Slice of(std::int64_t n) const;
};
std::vector<OnnxSlice> read_slices(NodeReader& node);

}  // namespace cbnet::kinds
