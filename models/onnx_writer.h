#pragma once

#include <string>
#include <vector>

#include "models/layer.h"
#include "models/onnx_node.h"

namespace cbnet {

/// One layer on its way into an ONNX graph. Values are known by their names.
class OnnxWriter {
 public:
  using Names = std::vector<std::string>;

  virtual ~OnnxWriter() = default;

  const std::string& input(std::size_t i = 0) const { return inputs.at(i); }
  const Shape& in(std::size_t i = 0) const { return in_shapes.at(i); }

  /// Appends a node that makes one value, which is the layer's own where `part` is empty; returns its name.
  virtual std::string node(const std::string& op, const Names& reads, OnnxNode::Attributes attributes = {},
                           const std::string& part = "") = 0;
  /// A node without attributes that makes of what the layer reads what the layer makes.
  std::string node(const std::string& op) { return node(op, inputs); }
  /// The layer's own weight; an empty name where it has none called so.
  virtual std::string weight(const std::string& part) = 0;
  virtual std::string constant(const std::string& part, const Tensor& value) = 0;
  /// The layers of a list inside this layer, which is called `part`.
  virtual std::string layers(const LayerSpecs& list, const std::string& part) = 0;
  /// Throws std::invalid_argument: ONNX, in the opset that is written, cannot say this.
  [[noreturn]] void refuse(const std::string& why) const {
    throw std::invalid_argument(concat("[onnx] ", name, " has no form in opset ", kOpset, ": ", why));
  }

  static constexpr int kOpset = 13;
  std::string name;  // of the layer, as in the state dict
  Names inputs;
  std::vector<Shape> in_shapes;  // of one sample
};

}  // namespace cbnet
