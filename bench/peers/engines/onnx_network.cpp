// A network of any layers as an ONNX graph, in f32 or, for ONNX Runtime's quantized kernels, with every layer
// between QuantizeLinear and DequantizeLinear, which the runtime joins into one node that reads and writes
// bytes.
#include <algorithm>
#include <cmath>

#include "bench/peers/calibration.h"
#include "bench/peers/engines/onnx_graph.h"
#include "bench/peers/graph_nodes.h"
#include "models/onnx/graph_writer.h"
#include "runtime/quantize.h"
#include "tensor/error.h"

namespace cbnet::peers {
namespace {

using runtime::Kind;
using runtime::Node;
using runtime::QuantParams;
using Names = GraphWriter::Names;

template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

OnnxNode::Attributes window_of(const Node& node) {
  const Window2d& w = node.window;
  OnnxNode::Attributes out = {
      {"kernel_shape", Shape{w.kernel_size.h, w.kernel_size.w}},
      {"strides", Shape{w.stride.h, w.stride.w}},
      {"pads", Shape{w.padding.top, w.padding.left, w.padding.bottom, w.padding.right}}};
  if (node.kind == Kind::conv2d) {
    out.emplace_back("kernel_shape", Shape{node.weight.size(2), node.weight.size(3)});
    out.erase(out.begin());
    out.emplace_back("dilations", Shape{w.dilation.h, w.dilation.w});
    out.emplace_back("group", node.groups);
  } else {
    out.emplace_back("ceil_mode", std::int64_t{w.ceil_mode});
  }
  if (node.kind == Kind::avg_pool2d)
    out.emplace_back("count_include_pad", std::int64_t{node.count_include_pad});
  return out;
}

class NetworkWriter {
 public:
  NetworkWriter(onnx::GraphProto& graph, const PeerModel& model, bool int8)
      : graph_(model.graph), proto_(graph), to_(graph, graph), int8_(int8) {
    if (int8) ranges_ = value_ranges(model);
    // The runtime moves bytes through these as they are where they mean the same behind them.
    for (std::size_t i = 0; int8 && i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (node.kind == Kind::max_pool2d || node.kind == Kind::reshape)
        ranges_[i + 1] = ranges_[static_cast<std::size_t>(node.inputs.front())];
    }
  }

  void write() {
    to_.input("pixels", "", graph_.input);
    names_ = {int8_ ? through_bytes("pixels", ranges_[0]) : "pixels"};
    const auto last = static_cast<std::int32_t>(graph_.nodes.size());
    for (std::int32_t v = 1; v <= last; ++v) {
      const std::string name = concat("v", v);
      if (joined_ >= v) {
        names_.push_back(names_.back());
        continue;
      }
      append(graph_.nodes[static_cast<std::size_t>(v) - 1], name);
      // A byte below the zero that a ReLU leaves, or above what calibration saw, is cut off without more.
      joined_ = int8_ ? with_rectifiers(graph_, v) : v;
      if (joined_ == last) joined_ = v;
      const QuantParams range = int8_ ? ranges_[static_cast<std::size_t>(joined_)] : QuantParams{};
      if (range.zero_point != 0) joined_ = v;
      names_.push_back(int8_ && v != last ? through_bytes(name, ranges_[static_cast<std::size_t>(joined_)])
                                          : name);
    }
    to_.node("Identity", "y", {names_.back()});
    to_.output("y", onnx::TensorProto::FLOAT, "", {numel(value_shape(graph_, last))});
  }

 private:
  const std::string& read(const Node& node, std::size_t i = 0) const {
    return names_[static_cast<std::size_t>(node.inputs[i])];
  }

  void append(const Node& node, const std::string& name) {
    switch (node.kind) {
      case Kind::conv2d: {
        to_.node("Conv", name, weighted(node, name, node.weight, node.bias), window_of(node));
        return;
      }
      case Kind::linear: {
        const runtime::LinearWeights& dense = node.dense;
        const Tensor bias = dense.bias.empty() ? Tensor() : Tensor::from(dense.bias, {dense.out});
        to_.node("Gemm", name, weighted(node, name, Tensor::from(dense.fp32, {dense.out, dense.in}), bias),
                 {{"transB", std::int64_t{1}}});
        return;
      }
      case Kind::max_pool2d:
        to_.node("MaxPool", name, {read(node)}, window_of(node));
        return;
      case Kind::avg_pool2d:
        if (is_global(graph_, node))
          to_.node("GlobalAveragePool", name, {read(node)});
        else
          to_.node("AveragePool", name, {read(node)}, window_of(node));
        return;
      case Kind::reshape:
        to_.node("Flatten", name, {read(node)}, {{"axis", std::int64_t{1}}});
        return;
      case Kind::add:
        to_.node("Add", name, {read(node), read(node, 1)});
        return;
      case Kind::concat: {
        Names parts;
        for (std::size_t i = 0; i < node.inputs.size(); ++i) parts.push_back(read(node, i));
        to_.node("Concat", name, parts, {{"axis", std::int64_t{1}}});
        return;
      }
      case Kind::pointwise:
        to_.node("Min", name, {read(node), to_.scalar(name + ".max", static_cast<float>(node.value))});
        return;
      default:
        to_.node(node.kind == Kind::relu ? "Relu" : "Sigmoid", name, {read(node)});
    }
  }

  /// Returns what a layer with weights reads: in bytes one symmetric scale an output, and a bias in whole
  /// products of the scales of input and weight.
  Names weighted(const Node& node, const std::string& name, const Tensor& weight, const Tensor& bias) {
    const std::string w = name + ".w", b = name + ".b";
    Names out = {read(node)};
    if (!int8_) {
      out.push_back(to_.weight(w, weight));
      if (bias.defined()) out.push_back(to_.weight(b, bias));
      return out;
    }
    const std::int64_t outputs = weight.size(0), each = weight.numel() / outputs;
    const Tensor dense = weight.contiguous();
    runtime::LinearWeights rows;
    rows.in = each;
    rows.out = outputs;
    rows.fp32.assign(dense.data<float>(), dense.data<float>() + dense.numel());
    rows = runtime::convert(rows, runtime::Precision::int8);
    out.push_back(dequantized(w, onnx::TensorProto::INT8, weight.shape(), raw(rows.int8), rows.scales));
    if (!bias.defined()) return out;
    std::vector<float> scales = rows.scales;
    std::vector<std::int32_t> sums;
    for (std::size_t o = 0; o < scales.size(); ++o) {
      scales[o] *= ranges_[static_cast<std::size_t>(node.inputs.front())].scale;
      sums.push_back(static_cast<std::int32_t>(std::lround(bias.data<float>()[o] / scales[o])));
    }
    out.push_back(dequantized(b, onnx::TensorProto::INT32, {outputs}, raw(sums), scales));
    return out;
  }

  std::string dequantized(const std::string& name, int dtype, const Shape& shape, const std::string& bytes,
                          const std::vector<float>& scales) {
    const std::int64_t outputs = shape.front();
    const std::string zeros = raw(std::vector<std::int32_t>(scales.size(), 0));
    const std::size_t each = bytes.size() / static_cast<std::size_t>(numel(shape));
    to_.node("DequantizeLinear", name + ".dq",
             {raw_weight(proto_, name, dtype, shape, bytes),
              to_.weight(name + ".s", Tensor::from(scales, {outputs})),
              raw_weight(proto_, name + ".z", dtype, {outputs}, zeros.substr(0, each * scales.size()))},
             {{"axis", std::int64_t{0}}});
    return name + ".dq";
  }

  std::string through_bytes(const std::string& name, const QuantParams& range) {
    const std::string scale = to_.scalar(name + ".s", range.scale);
    const std::string zero = raw_weight(proto_, name + ".z", onnx::TensorProto::UINT8, {},
                                        std::string(1, static_cast<char>(range.zero_point)));
    to_.node("QuantizeLinear", name + ".q", {name, scale, zero});
    to_.node("DequantizeLinear", name + ".dq", {name + ".q", scale, zero});
    return name + ".dq";
  }

  const runtime::Graph& graph_;
  onnx::GraphProto& proto_;
  GraphWriter to_;
  bool int8_;
  std::vector<QuantParams> ranges_;  // of int8, by value
  std::vector<std::string> names_;   // by value
  std::int32_t joined_ = 0;          // the value that the node written last stands for, rectifiers included
};

}  // namespace

std::string network_graph(const PeerModel& model, std::int64_t batch, bool int8) {
  onnx::ModelProto proto = empty_model(model.name);
  NetworkWriter(*proto.mutable_graph(), model, int8).write();
  return bytes_of(proto, batch);
}

}  // namespace cbnet::peers
