#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/onnx/graph_reader.h"
#include "models/onnx/onnx.h"

namespace cbnet {

/// Turns the nodes that one output needs into a list of layers and their weights.
class GraphImporter {
 public:
  using Node = onnx::NodeProto;

  GraphImporter(const onnx::ModelProto& model, std::string source, const OnnxImport& options)
      : graph_(model.graph()), source_(std::move(source)), options_(options), opset_(opset_of(model)) {}

  NetworkSpec run();
  const StateDict& weights() const { return weights_; }

 private:
  /// What a name stands for: a layer's output by position, or a constant.
  struct Value {
    std::int64_t position = -1;
    Tensor constant = {};
    bool is_constant() const { return constant.defined(); }
  };

  [[noreturn]] void fail(const std::string& expected, const std::string& found,
                         const std::string& hint = "") const {
    throw InputError(source_, expected, found, hint);
  }
  std::int64_t opset_of(const onnx::ModelProto& model) const;
  void read_initializers();
  std::string read_input();
  std::string chosen_output() const;
  std::vector<const Node*> nodes_for(const std::string& output) const;
  void read_node(const Node& node);

  bool has_input(const Node& node, int i) const { return node.input_size() > i && !node.input(i).empty(); }
  const Value& value(const Node& node, int i, Attributes& attributes) const;
  std::int64_t layer_input(const Node& node, int i, Attributes& attributes) const;
  const Tensor& constant(const Node& node, int i, Attributes& attributes) const;
  const Shape& shape_at(std::int64_t position) const {
    return shapes_.at(static_cast<std::size_t>(position));
  }

  void add_layer(const Node& node, LayerSpec layer, std::vector<std::int64_t> inputs);
  void add_weight(const char* name, Tensor tensor);
  void take_images();

  void convolution(const Node& node, Attributes& attributes);
  void pool(const Node& node, Attributes& attributes);
  void gemm(const Node& node, Attributes& attributes);
  void matmul(const Node& node, Attributes& attributes);
  void elementwise(const Node& node, Attributes& attributes);
  void activation(const Node& node, Attributes& attributes);
  void softmax(const Node& node, Attributes& attributes);
  void batch_norm(const Node& node, Attributes& attributes);
  void reshape(const Node& node, Attributes& attributes);
  void flatten(const Node& node, Attributes& attributes);
  void transpose(const Node& node, Attributes& attributes);
  void concatenate(const Node& node, Attributes& attributes);
  void pass_on(const Node& node, Attributes& attributes);
  void make_constant(const Node& node, Attributes& attributes);

  using Reader = void (GraphImporter::*)(const Node&, Attributes&);
  static const std::map<std::string, Reader>& readers();

  const onnx::GraphProto& graph_;
  std::string source_;
  const OnnxImport& options_;
  std::int64_t opset_;
  std::map<std::string, Value> values_;
  NetworkSpec spec_;
  Shape declared_;             // the graph's input, of one sample
  std::vector<Shape> shapes_;  // of one sample, by position
  std::int64_t batch_ = -1;    // as the graph declares it; -1 when it leaves it open
  StateDict weights_;
};

}  // namespace cbnet
