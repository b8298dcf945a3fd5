#pragma once

#include "models/layer.h"

// What add and mul share: two layers, or one and a constant of the layer's own, called "value".

namespace cbnet {
class NodeReader;
}

namespace cbnet::kinds {

/// `constant` is the shape of the constant, empty for two layers.
Shape joined_shape(const char* kind, Shapes in, const Shape& constant);

/// The constant starts at `start`.
BuiltLayer build_join(const Shape& constant, double start, DType dtype,
                      Variable (*join)(const Variable&, const Variable&));

/// Constant input `i` of a node as it is stretched over one sample: without the batch axis.
Tensor constant_of_sample(const NodeReader& node, std::size_t i);

}  // namespace cbnet::kinds
