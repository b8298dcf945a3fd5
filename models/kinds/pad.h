#pragma once

#include <optional>

#include "models/layer.h"
#include "tensor/windows.h"

namespace cbnet::kinds {

/// x with elements around it: so many before and after it, by axis. Mode "constant" puts `value` there,
/// "edge" the element at the edge, "reflect" what lies as far inside of it.
struct Pad {
  std::vector<std::int64_t> before = {}, after = {};
  double value = 0.0;
  std::string mode = "constant";

  /// Returns the padding of planes (C,H,W) with zeros, which a convolution can do by itself, where it is
  /// that.
  std::optional<Padding2d> of_planes() const;
  /// The node of a plan, and the value that it makes of what the layer reads.
  std::int32_t push(Lowering& to) const;

  CBNET_LAYER_PARTS("pad", Pad)
};

}  // namespace cbnet::kinds
