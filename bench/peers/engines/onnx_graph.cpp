#include "bench/peers/engines/onnx_graph.h"

#include <algorithm>
#include <cmath>

#include "models/onnx/graph_writer.h"
#include "models/onnx/onnx.h"
#include "tensor/error.h"
#include "tensor/io.h"

namespace cbnet::peers {
namespace {

constexpr int kOpset = 13;
constexpr int kIrVersion = 7;

class Writer {
 public:
  Writer(onnx::GraphProto& graph, onnx::GraphProto& weights, GraphOptions options)
      : to_(graph, weights), weights_(weights), options_(options) {}

  /// Returns the name of what the last layer makes; every name begins with `prefix`.
  std::string write(const std::vector<Layer>& given, std::string value, const std::string& prefix) {
    const auto layers = options_.relu_first ? relu_before_pool(given) : given;
    for (std::size_t i = 0; i < layers.size(); ++i) value = write_layer(layers[i], value, concat(prefix, i));
    return value;
  }

  GraphWriter& graph() { return to_; }

 private:
  std::string write_layer(const Layer& layer, const std::string& x, const std::string& name) {
    const auto window = [](const auto& fields) -> OnnxNode::Attributes {
      const std::int64_t k = fields.kernel_size.h, s = fields.stride.h, p = fields.padding.top;
      return {{"kernel_shape", Shape{k, k}}, {"strides", Shape{s, s}}, {"pads", Shape{p, p, p, p}}};
    };
    const auto with_weights = [&] {
      return GraphWriter::Names{x, to_.weight(name + ".w", layer.weight),
                                to_.weight(name + ".b", layer.bias)};
    };
    if (const auto* conv = layer.as<kinds::Conv2d>()) {
      to_.node("Conv", name, with_weights(), window(*conv));
    } else if (const auto* pool = layer.as<kinds::MaxPool2d>()) {
      OnnxNode::Attributes attributes = window(*pool);
      attributes.emplace_back("ceil_mode", std::int64_t{pool->ceil_mode});
      to_.node("MaxPool", name, {x}, attributes);
    } else if (layer.is<kinds::Linear>()) {
      if (options_.int8_dense) return write_int8(layer, x, name);
      to_.node("Gemm", name, with_weights(), {{"transB", std::int64_t{1}}});
    } else if (layer.is<kinds::Unflatten>()) {
      Shape shape = layer.out;
      shape.insert(shape.begin(), 0);
      to_.node("Reshape", name, {x, to_.integers(name + ".shape", shape)});
    } else if (layer.is<kinds::Flatten>()) {
      to_.node("Flatten", name, {x}, {{"axis", std::int64_t{1}}});
    } else {
      to_.node(layer.is<kinds::Relu>() ? "Relu" : "Sigmoid", name, {x});
    }
    return name;
  }

  /// Writes y = x W^T + b with x quantized as it comes and one symmetric scale per output, in the form that
  /// the runtime joins into one kernel.
  std::string write_int8(const Layer& layer, const std::string& x, const std::string& name) {
    const std::int64_t out = layer.weight.size(0), in = layer.weight.size(1);
    const float* w = layer.weight.data<float>();
    std::vector<float> scales(static_cast<std::size_t>(out));
    std::string quantized(static_cast<std::size_t>(in * out), '\0');
    for (std::int64_t o = 0; o < out; ++o) {
      float top = 0.0F;
      for (std::int64_t k = 0; k < in; ++k) top = std::max(top, std::abs(w[o * in + k]));
      const float scale = top > 0.0F ? top / 127.0F : 1.0F;
      scales[static_cast<std::size_t>(o)] = scale;
      for (std::int64_t k = 0; k < in; ++k) {
        quantized[static_cast<std::size_t>(k * out + o)] =
            static_cast<char>(static_cast<signed char>(std::lround(w[o * in + k] / scale)));
      }
    }
    onnx::NodeProto& quantize = to_.node("DynamicQuantizeLinear", name + ".q", {x});
    quantize.add_output(name + ".qs");
    quantize.add_output(name + ".qz");
    const std::string weight =
        raw_weight(weights_, name + ".w", onnx::TensorProto::INT8, {in, out}, quantized);
    const std::string zero =
        raw_weight(weights_, name + ".wz", onnx::TensorProto::INT8, {}, std::string(1, '\0'));
    to_.node("MatMulInteger", name + ".sums", {name + ".q", weight, name + ".qz", zero});
    to_.node("Cast", name + ".cast", {name + ".sums"}, {{"to", std::int64_t{onnx::TensorProto::FLOAT}}});
    to_.node("Mul", name + ".scale", {name + ".qs", to_.weight(name + ".ws", Tensor::from(scales, {out}))});
    to_.node("Mul", name + ".scaled", {name + ".cast", name + ".scale"});
    to_.node("Add", name, {name + ".scaled", to_.weight(name + ".b", layer.bias)});
    return name;
  }

  GraphWriter to_;
  onnx::GraphProto& weights_;
  GraphOptions options_;
};

void write_exit(Writer& writer, onnx::GraphProto& graph, const PeerModel& model,
                const GraphOptions& options) {
  GraphWriter& to = writer.graph();
  const std::string shared = writer.write(model.trunk, "pixels", "trunk.");
  const std::string early = writer.write(model.branch, shared, "branch.");
  to.node("LogSoftmax", "logs", {early}, {{"axis", std::int64_t{1}}});
  to.node("Exp", "shares", {"logs"});
  to.node("Mul", "products", {"shares", "logs"});
  to.node("ReduceSum", "sum", {"products"}, {{"keepdims", std::int64_t{0}}});
  to.node("Greater", "leaves", {"sum", to.scalar("threshold", static_cast<float>(-model.threshold))});
  onnx::NodeProto& node = to.node("If", "y", {"leaves"});
  const auto branch = [&](const char* name, const char* value) -> onnx::GraphProto& {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::GRAPH);
    onnx::GraphProto& inner = *attribute.mutable_g();
    inner.set_name(name);
    GraphWriter(inner, graph).output(value, onnx::TensorProto::FLOAT, "", {model.width});
    return inner;
  };
  GraphWriter(branch("then_branch", "early"), graph).node("Identity", "early", {early});
  onnx::GraphProto& stay = branch("else_branch", "late");
  Writer late(stay, graph, options);
  late.graph().node("Identity", "late", {late.write(model.rest, shared, "rest.")});
}

}  // namespace

onnx::ModelProto empty_model(const std::string& name) {
  onnx::ModelProto out;
  out.set_ir_version(kIrVersion);
  out.add_opset_import()->set_version(kOpset);
  out.mutable_graph()->set_name(name);
  return out;
}

std::string bytes_of(onnx::ModelProto& model, std::int64_t batch) {
  onnx::GraphProto& graph = *model.mutable_graph();
  for (auto* value : {graph.mutable_input(0), graph.mutable_output(0)})
    value->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0)->set_dim_value(batch);
  return model.SerializeAsString();
}

std::string raw_weight(onnx::GraphProto& graph, const std::string& name, int dtype, const Shape& shape,
                       const std::string& bytes) {
  onnx::TensorProto& out = *graph.add_initializer();
  out.set_name(name);
  out.set_data_type(dtype);
  for (const std::int64_t size : shape) out.add_dims(size);
  out.set_raw_data(bytes);
  return name;
}

std::string onnx_graph(const PeerModel& model, std::int64_t batch, const GraphOptions& options) {
  require(!model.has_exit() || batch == 1, "onnx", "a side exit takes batch 1; got ", batch);
  onnx::ModelProto proto = empty_model(model.name);
  onnx::GraphProto& graph = *proto.mutable_graph();
  Writer writer(graph, graph, options);
  writer.graph().input("pixels", "", model.spec.input);
  if (model.has_exit())
    write_exit(writer, graph, model, options);
  else
    writer.graph().node("Identity", "y", {writer.write(model.trunk, "pixels", "trunk.")});
  writer.graph().output("y", onnx::TensorProto::FLOAT, "", {model.width});
  return bytes_of(proto, batch);
}

std::string exported_graph(const PeerModel& model, std::int64_t batch) {
  const TemporaryFolder folder;
  Model exported{{}, std::make_unique<Network>(model.spec)};
  exported.network->load_state_dict(model.weights);
  export_onnx(folder / "network.onnx", {.classifier = &exported});
  onnx::ModelProto proto;
  require(proto.ParseFromString(read_file(folder / "network.onnx")), "onnx",
          "the exported graph is unreadable");
  onnx::GraphProto& graph = *proto.mutable_graph();
  const auto is_answer = [](const auto& named) { return named != "logits"; };
  auto& outputs = *graph.mutable_output();
  outputs.erase(std::remove_if(outputs.begin(), outputs.end(),
                               [&](const auto& value) { return is_answer(value.name()); }),
                outputs.end());
  // Label and probabilities are made of the logits by the last nodes.
  while (is_answer(graph.node(graph.node_size() - 1).output(0))) graph.mutable_node()->RemoveLast();
  return bytes_of(proto, batch);
}

}  // namespace cbnet::peers
