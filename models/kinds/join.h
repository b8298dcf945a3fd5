#pragma once

#include "models/layer.h"
#include "models/onnx_reader.h"

// What add and mul share: two layers, or one and a constant of the layer's own, called "value".

namespace cbnet::kinds {

/// `constant` is the shape of the constant, empty for two layers.
Shape joined_shape(const char* kind, Shapes in, const Shape& constant);

/// The constant starts at `start`.
BuiltLayer build_join(const Shape& constant, double start, DType dtype,
                      Variable (*join)(const Variable&, const Variable&));

/// Constant input `i` of a node as it is stretched over one sample of input `other`: without the batch axis.
Tensor constant_of_sample(const NodeReader& node, std::size_t i, std::size_t other);

/// Appends layers that make `value` of every image, whatever is at `position`; returns where they make it.
std::int64_t add_constant(NodeReader& node, std::int64_t position, const Tensor& value);

/// Appends the layer that joins the value at `position` and a constant.
template <class Kind>
void join_constant(NodeReader& node, std::int64_t position, Tensor value) {
  node.add(Kind{.shape = value.shape()}, {position});
  node.weight("value", std::move(value));
}

/// A node of two inputs, which commute: the constant may stand on either side.
template <class Kind>
void read_join(NodeReader& node) {
  const std::size_t side = node.is_constant(0) ? 0 : 1;
  if (!node.is_constant(side)) return node.add(Kind{}, {node.position(0), node.position(1)});
  join_constant<Kind>(node, node.position(1 - side), constant_of_sample(node, side, 1 - side));
}

}  // namespace cbnet::kinds
