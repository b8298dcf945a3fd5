#pragma once

#include <onnx/onnx_pb.h>

#include <string>
#include <vector>

#include "models/onnx_node.h"

namespace cbnet {

/// Appends nodes to an ONNX graph. Values are named after the node that makes them.
class GraphWriter {
 public:
  using Names = std::vector<std::string>;

  /// Nodes go to `graph`, weights to `weights`: a branch of an `If` sees the weights of the graph around it.
  GraphWriter(onnx::GraphProto& graph, onnx::GraphProto& weights) : graph_(graph), weights_(weights) {}

  /// A node that makes one value, which is called `name`.
  onnx::NodeProto& node(const std::string& op, const std::string& name, const Names& inputs,
                        const OnnxNode::Attributes& attributes = {});

  /// A weight; returns its name. Tensor f32, f64 or i64.
  std::string weight(const std::string& name, const Tensor& value);
  std::string integers(const std::string& name, const std::vector<std::int64_t>& values);
  std::string scalar(const std::string& name, float value);

  void input(const std::string& name, const std::string& batch, const Shape& sample);
  /// dtype: a TensorProto::DataType. `batch` empty: 1.
  void output(const std::string& name, int dtype, const std::string& batch, const Shape& sample);

  onnx::GraphProto& graph() { return graph_; }

 private:
  onnx::GraphProto& graph_;
  onnx::GraphProto& weights_;
};

}  // namespace cbnet
