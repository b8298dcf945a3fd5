#include <onnx/checker.h>
#include <onnx/shape_inference/implementation.h>

#include "models/json.h"
#include "models/onnx/graph_writer.h"
#include "models/onnx/onnx.h"
#include "tensor/io.h"

namespace cbnet {
namespace {

constexpr int kOpset = 13;
constexpr int kIrVersion = 7;  // that of opset 13

const Tensor& find(const StateDict& state, const std::string& name) {
  for (const auto& [key, tensor] : state) {
    if (key == name) return tensor;
  }
  throw std::logic_error("no weight " + name);
}

bool has(const StateDict& state, const std::string& name) {
  for (const auto& entry : state) {
    if (entry.first == name) return true;
  }
  return false;
}

/// Writes the layers of one network. Weights and values are called as in its state dict, behind `prefix`.
class LayerWriter {
 public:
  LayerWriter(GraphWriter& to, const Network& network, std::string prefix)
      : to_(to), state_(network.state_dict()), prefix_(std::move(prefix)) {}

  /// Layers begin, …, end - 1 of the list called `list` ("trunk.", "exits.0."), which reads `value` where
  /// layer `begin` stands; returns what the last one makes.
  std::string write(const LayerSpecs& layers, const std::string& list, std::size_t begin, std::size_t end,
                    const std::string& value) {
    GraphWriter::Names at(begin + 1, value);
    for (std::size_t i = begin; i < end; ++i) {
      GraphWriter::Names inputs;
      for (const std::int64_t position : inputs_of(layers[i], i)) {
        inputs.push_back(at.at(static_cast<std::size_t>(position)));
      }
      at.push_back(write_layer(layers[i], concat(list, i), inputs));
    }
    return at.back();
  }

  std::string write(const LayerSpecs& layers, const std::string& list, const std::string& value) {
    return write(layers, list, 0, layers.size(), value);
  }

 private:
  std::string weight(const std::string& name) { return to_.weight(prefix_ + name, find(state_, name)); }

  onnx::NodeProto& node(const char* op, const std::string& layer, const GraphWriter::Names& inputs) {
    return to_.node(op, prefix_ + layer, inputs);
  }

  /// Inputs of a conv or linear layer: x, weight and the bias where there is one.
  GraphWriter::Names weighted(const std::string& name, const std::string& x) {
    GraphWriter::Names inputs = {x, weight(name + ".weight")};
    if (has(state_, name + ".bias")) inputs.push_back(weight(name + ".bias"));
    return inputs;
  }

  static void set_window(onnx::NodeProto& out, const LayerSpec& layer) {
    set_ints(out, "kernel_shape", {layer.kernel_size, layer.kernel_size});
    set_ints(out, "strides", {layer.stride, layer.stride});
    set_ints(out, "pads", {layer.padding, layer.padding, layer.padding, layer.padding});
  }

  std::string write_layer(const LayerSpec& layer, const std::string& name, GraphWriter::Names inputs);

  GraphWriter& to_;
  StateDict state_;
  std::string prefix_;
};

std::string LayerWriter::write_layer(const LayerSpec& layer, const std::string& name,
                                     GraphWriter::Names inputs) {
  switch (layer.kind) {
    case LayerKind::conv2d: {
      onnx::NodeProto& out = node("Conv", name, weighted(name, inputs[0]));
      set_window(out, layer);
      set_ints(out, "dilations", {layer.dilation, layer.dilation});
      set_int(out, "group", layer.groups);
      break;
    }
    case LayerKind::linear:
      set_int(node("Gemm", name, weighted(name, inputs[0])), "transB", 1);
      break;
    case LayerKind::max_pool2d: {
      onnx::NodeProto& out = node("MaxPool", name, inputs);
      set_window(out, layer);
      set_ints(out, "dilations", {layer.dilation, layer.dilation});
      set_int(out, "ceil_mode", layer.ceil_mode ? 1 : 0);
      break;
    }
    case LayerKind::avg_pool2d: {
      // Runtimes disagree about windows that hang over the padding: excluded there, they are the same to all.
      require(!layer.ceil_mode || layer.padding == 0 || !layer.count_include_pad, "onnx", name,
              ": average pooling with ceil_mode and counted padding has no agreed meaning in opset 13");
      onnx::NodeProto& out = node("AveragePool", name, inputs);
      set_window(out, layer);
      set_int(out, "ceil_mode", layer.ceil_mode ? 1 : 0);
      set_int(out, "count_include_pad", layer.count_include_pad && layer.padding > 0 ? 1 : 0);
      break;
    }
    case LayerKind::global_avg_pool2d:
      node("GlobalAveragePool", name, inputs);
      break;
    case LayerKind::relu:
      node("Relu", name, inputs);
      break;
    case LayerKind::leaky_relu:
      set_float(node("LeakyRelu", name, inputs), "alpha", static_cast<float>(layer.p));
      break;
    case LayerKind::sigmoid:
      node("Sigmoid", name, inputs);
      break;
    case LayerKind::tanh:
      node("Tanh", name, inputs);
      break;
    case LayerKind::softmax:
      set_int(node("Softmax", name, inputs), "axis", -1);
      break;
    case LayerKind::log_softmax:
      set_int(node("LogSoftmax", name, inputs), "axis", -1);
      break;
    case LayerKind::batch_norm: {
      for (const char* part : {".gamma", ".beta", ".running_mean", ".running_var"}) {
        inputs.push_back(weight(name + part));
      }
      set_float(node("BatchNormalization", name, inputs), "epsilon", static_cast<float>(layer.epsilon));
      break;
    }
    case LayerKind::dropout:  // nothing, once trained
      node("Identity", name, inputs);
      break;
    case LayerKind::flatten:
      set_int(node("Flatten", name, inputs), "axis", 1);
      break;
    case LayerKind::unflatten: {
      Shape shape = layer.shape;
      shape.insert(shape.begin(), 0);  // 0: as the input has it
      inputs.push_back(to_.integers(prefix_ + name + ".shape", shape));
      node("Reshape", name, inputs);
      break;
    }
    case LayerKind::transpose: {
      std::vector<std::int64_t> permutation = {0};
      for (const std::int64_t axis : layer.shape) permutation.push_back(axis + 1);
      set_ints(node("Transpose", name, inputs), "perm", permutation);
      break;
    }
    case LayerKind::add:
    case LayerKind::mul:
      if (!layer.shape.empty()) inputs.push_back(weight(name + ".value"));
      node(layer.kind == LayerKind::add ? "Add" : "Mul", name, inputs);
      break;
    case LayerKind::matmul:
      node("MatMul", name, inputs);
      break;
    case LayerKind::concat:
      set_int(node("Concat", name, inputs), "axis", layer.axis + 1);
      break;
    case LayerKind::residual: {
      const std::string body = write(layer.body, name + ".body.", inputs[0]);
      const std::string shortcut = write(layer.shortcut, name + ".shortcut.", inputs[0]);
      node("Add", name, {body, shortcut});
      break;
    }
  }
  return prefix_ + name;
}

/// -sum p ln p of softmax(logits), in nats, as ln sum e^d - sum p d with d = logits - max: (N).
std::string write_entropy(GraphWriter& to, const std::string& logits) {
  const std::string axis = to.integers("entropy.axis", {1});
  set_ints(to.node("ReduceMax", "entropy.max", {logits}), "axes", {1});
  to.node("Sub", "entropy.d", {logits, "entropy.max"});
  to.node("Exp", "entropy.exp", {"entropy.d"});
  to.node("ReduceSum", "entropy.sum", {"entropy.exp", axis});
  to.node("Div", "entropy.p", {"entropy.exp", "entropy.sum"});
  to.node("Mul", "entropy.pd", {"entropy.p", "entropy.d"});
  set_int(to.node("ReduceSum", "entropy.mean", {"entropy.pd", axis}), "keepdims", 0);
  set_int(to.node("ReduceSum", "entropy.total", {"entropy.exp", axis}), "keepdims", 0);
  to.node("Log", "entropy.log", {"entropy.total"});
  to.node("Sub", "entropy", {"entropy.log", "entropy.mean"});
  return "entropy";
}

void write_label(GraphWriter& to, const std::string& batch) {
  onnx::NodeProto& label = to.node("ArgMax", "label", {"probabilities"});
  set_int(label, "axis", 1);
  set_int(label, "keepdims", 0);
  to.output("label", onnx::TensorProto::INT64, batch, {});
}

/// What the network reads of pixels in [0, 1]: themselves, or normalised as normalised() computes it.
std::string write_normalisation(GraphWriter& to, const Model& model, const std::string& pixels,
                                const std::string& prefix) {
  const Normalisation& normalisation = model.info.normalisation;
  if (!normalisation.any()) return pixels;
  to.node("Add", prefix + "centred", {pixels, to.weight(prefix + "minus_mean", summand(normalisation))});
  to.node("Mul", prefix + "normalised",
          {prefix + "centred", to.weight(prefix + "inverse_deviation", factor(normalisation))});
  return prefix + "normalised";
}

/// The images that the autoencoder makes: what `convert` of cbnet/conversion.h computes.
std::string write_converter(GraphWriter& to, const Model& model, const std::string& prefix) {
  const NetworkSpec& spec = model.network->spec();
  std::string images = LayerWriter(to, *model.network, prefix)
                           .write(spec.trunk, "trunk.", write_normalisation(to, model, "pixels", prefix));
  if (model.info.rescale != 1.0) {
    to.node("Mul", "rescaled", {images, to.scalar("rescale", static_cast<float>(model.info.rescale))});
    to.node("Min", "cut", {"rescaled", to.scalar("one", 1.0F)});
    images = "cut";
  }
  Shape shape = spec.input;
  shape.insert(shape.begin(), 0);
  to.node("Reshape", "converted", {images, to.integers("converted.shape", shape)});
  to.output("converted", onnx::TensorProto::FLOAT, "N", spec.input);
  return "converted";
}

void write_classifier(GraphWriter& to, const Model& model, const std::string& value,
                      const std::string& prefix) {
  const NetworkSpec& spec = model.network->spec();
  const Shape classes = trunk_shape(spec, static_cast<std::int64_t>(spec.trunk.size()));
  require(classes.size() == 1, "onnx", "a classifier gives one number per class; got ", classes);
  const std::string logits = LayerWriter(to, *model.network, prefix)
                                 .write(spec.trunk, "trunk.", write_normalisation(to, model, value, prefix));
  to.node("Identity", "logits", {logits});
  set_int(to.node("Softmax", "probabilities", {logits}), "axis", 1);
  write_label(to, "N");
  to.output("probabilities", onnx::TensorProto::FLOAT, "N", classes);
  to.output("logits", onnx::TensorProto::FLOAT, "N", classes);
}

/// One side exit: BranchyNet's rule, entropy < threshold, decided in f64 as cbnet does.
void write_early_exit(GraphWriter& to, const Model& model, bool batched) {
  const Network& network = *model.network;
  const NetworkSpec& spec = network.spec();
  require(spec.exits.size() == 1 && model.info.thresholds.size() == 1, "onnx",
          "expected one side exit and its threshold; got ", spec.exits.size(), " and ",
          model.info.thresholds.size());
  const std::string batch = batched ? "N" : "";
  const auto after = static_cast<std::size_t>(spec.exits[0].after);
  const Shape classes = trunk_shape(spec, static_cast<std::int64_t>(spec.trunk.size()));
  to.input("pixels", batch, spec.input);
  LayerWriter layers(to, network, "");
  const std::string shared =
      layers.write(spec.trunk, "trunk.", 0, after, write_normalisation(to, model, "pixels", ""));
  const std::string early = layers.write(spec.exits[0].branch, "exits.0.", shared);
  write_entropy(to, early);
  set_int(to.node("Cast", "entropy.f64", {"entropy"}), "to", onnx::TensorProto::DOUBLE);
  const std::string threshold =
      to.weight("threshold", Tensor::full({}, model.info.thresholds[0], DType::f64));
  to.node("Less", "leaves", {"entropy.f64", threshold});
  to.node("Not", "stays", {"leaves"});
  set_int(to.node("Cast", "exit", {"stays"}), "to", onnx::TensorProto::INT64);

  const auto write_late = [&](GraphWriter& where, const std::string& name) {
    const std::string logits =
        LayerWriter(where, network, "").write(spec.trunk, "trunk.", after, spec.trunk.size(), shared);
    set_int(where.node("Softmax", name, {logits}), "axis", 1);
  };
  if (batched) {
    set_int(to.node("Softmax", "early.probabilities", {early}), "axis", 1);
    write_late(to, "late.probabilities");
    to.node("Unsqueeze", "leaves.column", {"leaves", to.integers("column", {1})});
    to.node("Where", "probabilities", {"leaves.column", "early.probabilities", "late.probabilities"});
  } else {
    onnx::NodeProto& branch = to.node("If", "probabilities", {"leaves"});
    const auto subgraph = [&](const char* name, const char* value, const auto& write) {
      onnx::AttributeProto& attribute = *branch.add_attribute();
      attribute.set_name(name);
      attribute.set_type(onnx::AttributeProto::GRAPH);
      attribute.mutable_g()->set_name(name);
      GraphWriter inner(*attribute.mutable_g(), to.graph());
      write(inner, value);
      inner.output(value, onnx::TensorProto::FLOAT, "", classes);
    };
    subgraph("then_branch", "early.probabilities", [&](GraphWriter& inner, const std::string& name) {
      set_int(inner.node("Softmax", name, {early}), "axis", 1);
    });
    subgraph("else_branch", "late.probabilities", write_late);
  }
  write_label(to, batch);
  to.output("probabilities", onnx::TensorProto::FLOAT, batch, classes);
  to.output("entropy", onnx::TensorProto::FLOAT, batch, {});
  to.output("exit", onnx::TensorProto::INT64, batch, {});
}

void add_metadata(onnx::ModelProto& model, const std::string& key, const std::string& value) {
  onnx::StringStringEntryProto& entry = *model.add_metadata_props();
  entry.set_key("cbnet." + key);
  entry.set_value(value);
}

/// ONNX wants one.
std::string name_of(const Model& model) {
  const std::string& name = model.network->spec().name;
  return name.empty() ? "network" : name;
}

onnx::ModelProto make(const OnnxExport& graph) {
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("cbnet");
  model.set_producer_version(CBNET_VERSION);
  model.add_opset_import()->set_version(kOpset);
  const Model& last = graph.classifier != nullptr ? *graph.classifier : *graph.converter;
  const Model& first = graph.converter != nullptr ? *graph.converter : *graph.classifier;
  add_metadata(model, "dataset", first.info.dataset);
  add_metadata(model, "normalisation", to_text(first.info.normalisation));
  if (!last.info.thresholds.empty()) add_metadata(model, "thresholds", Json(last.info.thresholds).dump());
  onnx::GraphProto& proto = *model.mutable_graph();
  GraphWriter to(proto, proto);
  if (graph.converter == nullptr && !last.network->spec().exits.empty()) {
    proto.set_name(name_of(last));
    write_early_exit(to, last, graph.batched);
    return model;
  }
  require(last.network->spec().exits.empty(), "onnx", "side exits behind an autoencoder have no ONNX form");
  to.input("pixels", "N", first.network->spec().input);
  std::string value = "pixels";
  if (graph.converter != nullptr) {
    proto.set_name(graph.classifier != nullptr ? "cbnet" : name_of(first));
    value = write_converter(to, first, graph.classifier != nullptr ? "autoencoder." : "");
  } else {
    proto.set_name(name_of(last));
  }
  if (graph.classifier != nullptr)
    write_classifier(to, last, value, graph.converter != nullptr ? "classifier." : "");
  return model;
}

}  // namespace

std::string onnx_description() { return concat("opset ", kOpset, ", checked by libonnx"); }

void export_onnx(const std::filesystem::path& path, const OnnxExport& graph) {
  require(graph.converter != nullptr || graph.classifier != nullptr, "onnx", "expected a model; got none");
  onnx::ModelProto model = make(graph);
  try {
    onnx::checker::check_model(model);
    // Beyond the checker: types and sizes along the graph fit.
    onnx::ModelProto inferred = model;
    onnx::ShapeInferenceOptions strict;
    strict.check_type = true;
    strict.error_mode = 1;
    onnx::shape_inference::InferShapes(inferred, onnx::OpSchemaRegistry::Instance(), strict);
  } catch (const std::exception& error) {
    throw std::logic_error(concat("[onnx] the exported graph is refused: ", error.what()));
  }
  write_file_atomic(path, model.SerializeAsString());
}

}  // namespace cbnet
