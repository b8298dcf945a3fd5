#pragma once

#include <functional>

#include "models/layer.h"
#include "models/onnx_node.h"
#include "tensor/error.h"

// What several layer kinds share.

namespace cbnet {
class NodeReader;
}

namespace cbnet::kinds {

/// A stored description may be hostile: sizes this large are no network, and their products overflow.
inline constexpr std::int64_t kMaxSize = 1 << 20;
inline void check_sizes(const char* kind, const Shape& sizes) {
  for (const std::int64_t size : sizes)
    require(size >= 0 && size <= kMaxSize, kind, "sizes must be 0 to ", kMaxSize, "; got ", size);
}

/// The layer reads `count` others.
inline void check_inputs(const char* kind, Shapes in, std::size_t count) {
  require(in.size() == count, kind, "reads ", count, count == 1 ? " layer" : " layers", "; got ", in.size());
}

/// The shape of the only input.
inline const Shape& only(const char* kind, Shapes in) {
  check_inputs(kind, in, 1);
  return in[0];
}

/// Of the ops max_pool2d and avg_pool2d. One-sided padding is left to pad_planes.
Pool2dOptions pool_options(const Window2d& window);

/// The elements at `positions` of axis `axis`.
Variable select(const Variable& x, std::int64_t axis, const std::vector<std::int64_t>& positions);
/// x between `before` and `after` slices of `value` along `axis`.
Variable pad_axis(const Variable& x, std::int64_t axis, std::int64_t before, std::int64_t after,
                  double value);
/// x (N,C,H,W) with rows and columns of `value` around its planes.
Variable pad_planes(const Variable& x, const Padding2d& padding, double value);

/// Puts in front of the reader of an op over planes (C,H,W) that lines (C,L) become planes of one row for it,
/// and lines again.
void on_planes(OnnxReaders& readers, const std::string& op, std::function<void(NodeReader&)> read);
/// A number per direction; of lines the file has one.
Pair read_pair(NodeReader& node, const char* name, Pair usual);
/// The constant input 1, (O,C,Kh,Kw); of lines the file has (O,C,K).
Tensor read_kernel(const NodeReader& node);

/// Opset 1 to 23: kernel_shape, strides, pads and, where `dilated`, dilations.
OnnxNode::Attributes write_window(const Window2d& window, bool dilated);
/// The same from a node. The kernel is `kernel` where the attribute is left out.
Window2d read_explicit_window(NodeReader& node, Pair kernel, bool dilated);
/// The same and auto_pad, for planes of input 0.
Window2d read_window(NodeReader& node, Pair kernel, bool dilated);

/// Softmax or its logarithm, `layer`, along one axis; before opset 13 along all axes from one on.
void read_softmax(NodeReader& node, const LayerSpec& layer);

}  // namespace cbnet::kinds
