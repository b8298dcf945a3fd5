#include <onnx/checker.h>
#include <onnx/shape_inference/implementation.h>

#include "models/json.h"
#include "models/onnx/graph_writer.h"
#include "models/onnx/onnx.h"
#include "models/onnx_writer.h"
#include "tensor/io.h"

namespace cbnet {
namespace {

constexpr int kOpset = OnnxWriter::kOpset;
constexpr int kIrVersion = 7;  // that of opset 13

/// Writes the layers of one network. Weights and values are called as in its state dict, behind `prefix`.
class LayerWriter {
 public:
  LayerWriter(GraphWriter& to, const Network& network, std::string prefix)
      : to_(to), state_(network.state_dict()), input_(network.spec().input), prefix_(std::move(prefix)) {}

  /// Layers begin, …, end - 1 of the network's trunk, which reads `value` where layer `begin` stands; returns
  /// what the last one makes.
  std::string trunk(const LayerSpecs& layers, std::size_t begin, std::size_t end, const std::string& value) {
    const std::vector<Shape> shapes = shapes_along(layers, input_);
    return write(layers, shapes, "trunk.", begin, end, value);
  }
  std::string trunk(const LayerSpecs& layers, const std::string& value) {
    return trunk(layers, 0, layers.size(), value);
  }

  std::string list(const LayerSpecs& layers, const Shape& input, const std::string& name,
                   const std::string& value) {
    return write(layers, shapes_along(layers, input), name, 0, layers.size(), value);
  }

 private:
  class One;

  std::string write(const LayerSpecs& layers, const std::vector<Shape>& shapes, const std::string& list,
                    std::size_t begin, std::size_t end, const std::string& value);

  GraphWriter& to_;
  StateDict state_;
  Shape input_;
  std::string prefix_;
};

/// One layer of them.
class LayerWriter::One : public OnnxWriter {
 public:
  One(LayerWriter& all, std::string layer) : all_(all) { name = std::move(layer); }

  using OnnxWriter::node;
  std::string node(const std::string& op, const Names& reads, OnnxNode::Attributes attributes,
                   const std::string& part) override {
    const std::string value = all_.prefix_ + name + (part.empty() ? "" : "." + part);
    all_.to_.node(op, value, reads, attributes);
    return value;
  }
  std::string weight(const std::string& part) override {
    const std::string full = name + "." + part;
    for (const auto& [key, tensor] : all_.state_) {
      if (key == full) return all_.to_.weight(all_.prefix_ + full, tensor);
    }
    throw std::logic_error("no weight " + full);
  }
  std::string constant(const std::string& part, const Tensor& value) override {
    return all_.to_.weight(all_.prefix_ + name + "." + part, value);
  }
  std::string layers(const LayerSpecs& list, const std::string& part) override {
    return all_.list(list, in(), name + "." + part + ".", input());
  }

 private:
  LayerWriter& all_;
};

std::string LayerWriter::write(const LayerSpecs& layers, const std::vector<Shape>& shapes,
                               const std::string& list, std::size_t begin, std::size_t end,
                               const std::string& value) {
  GraphWriter::Names at(begin + 1, value);
  for (std::size_t i = begin; i < end; ++i) {
    One layer(*this, concat(list, i));
    for (const std::int64_t position : inputs_of(layers[i], i)) {
      layer.inputs.push_back(at.at(static_cast<std::size_t>(position)));
      layer.in_shapes.push_back(shapes.at(static_cast<std::size_t>(position)));
    }
    at.push_back(layers[i]->write_onnx(layer));
  }
  return at.back();
}

/// -sum p ln p of softmax(logits), in nats, as ln sum e^d - sum p d with d = logits - max: (N), as `name`.
void write_entropy(GraphWriter& to, const std::string& logits, const std::string& name) {
  const std::string axis = to.integers(name + ".axis", {1});
  const auto part = [&](const char* of) { return name + "." + of; };
  to.node("ReduceMax", part("max"), {logits}, {{"axes", Shape{1}}});
  to.node("Sub", part("d"), {logits, part("max")});
  to.node("Exp", part("exp"), {part("d")});
  to.node("ReduceSum", part("sum"), {part("exp"), axis});
  to.node("Div", part("p"), {part("exp"), part("sum")});
  to.node("Mul", part("pd"), {part("p"), part("d")});
  to.node("ReduceSum", part("mean"), {part("pd"), axis}, {{"keepdims", std::int64_t{0}}});
  to.node("ReduceSum", part("total"), {part("exp"), axis}, {{"keepdims", std::int64_t{0}}});
  to.node("Log", part("log"), {part("total")});
  to.node("Sub", name, {part("log"), part("mean")});
}

void write_label(GraphWriter& to, const std::string& batch) {
  to.node("ArgMax", "label", {"probabilities"}, {{"axis", std::int64_t{1}}, {"keepdims", std::int64_t{0}}});
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
                           .trunk(spec.trunk, write_normalisation(to, model, "pixels", prefix));
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
                                 .trunk(spec.trunk, write_normalisation(to, model, value, prefix));
  to.node("Identity", "logits", {logits});
  to.node("Softmax", "probabilities", {logits}, {{"axis", std::int64_t{1}}});
  write_label(to, "N");
  to.output("probabilities", onnx::TensorProto::FLOAT, "N", classes);
  to.output("logits", onnx::TensorProto::FLOAT, "N", classes);
}

/// A network with side exits. Each is BranchyNet's rule, entropy < threshold, decided in f64 as cbnet does.
class ExitWriter {
 public:
  ExitWriter(const Model& model, bool batched)
      : network_(*model.network),
        spec_(network_.spec()),
        thresholds_(model.info.thresholds),
        batched_(batched),
        classes_(trunk_shape(spec_, static_cast<std::int64_t>(spec_.trunk.size()))) {
    require(thresholds_.size() == spec_.exits.size(), "onnx", "expected a threshold for each of ",
            spec_.exits.size(), " side exits; got ", thresholds_.size());
  }

  void write(GraphWriter& to, const Model& model) {
    const std::string batch = batched_ ? "N" : "";
    to.input("pixels", batch, spec_.input);
    exit(to, 0, 0, write_normalisation(to, model, "pixels", ""), "");
    write_label(to, batch);
    to.output("probabilities", onnx::TensorProto::FLOAT, batch, classes_);
    to.output("entropy", onnx::TensorProto::FLOAT, batch, {});
    to.output("exit", onnx::TensorProto::INT64, batch, {});
  }

 private:
  /// Writes exit e and all behind it, given what the trunk's first `done` layers made: the values
  /// <prefix>probabilities and <prefix>exit.
  void exit(GraphWriter& to, std::size_t e, std::size_t done, const std::string& value,
            const std::string& prefix) {
    LayerWriter layers(to, network_, "");
    if (e == spec_.exits.size()) {
      answer(to, layers.trunk(spec_.trunk, done, spec_.trunk.size(), value), e, prefix);
      return;
    }
    const ExitSpec& side = spec_.exits[e];
    const auto after = static_cast<std::size_t>(side.after);
    const std::string shared = layers.trunk(spec_.trunk, done, after, value);
    const std::string logits =
        layers.list(side.branch, trunk_shape(spec_, side.after), concat("exits.", e, "."), shared);
    const std::string entropy = prefix + "entropy", leaves = prefix + "leaves";
    write_entropy(to, logits, entropy);
    to.node("Cast", entropy + ".f64", {entropy}, {{"to", std::int64_t{onnx::TensorProto::DOUBLE}}});
    to.node(
        "Less", leaves,
        {entropy + ".f64", to.weight(prefix + "threshold", Tensor::full({}, thresholds_[e], DType::f64))});
    const std::string early = prefix + "early.", late = prefix + "late.";
    if (batched_) {
      answer(to, logits, e, early);
      exit(to, e + 1, after, shared, late);
      to.node("Unsqueeze", leaves + ".column", {leaves, to.integers(prefix + "column", {1})});
      to.node("Where", prefix + "probabilities",
              {leaves + ".column", early + "probabilities", late + "probabilities"});
      to.node("Where", prefix + "exit", {leaves, early + "exit", late + "exit"});
      return;
    }
    onnx::NodeProto& choice = to.node("If", prefix + "probabilities", {leaves});
    choice.add_output(prefix + "exit");
    subgraph(to, choice, "then_branch", early, [&](GraphWriter& inner) { answer(inner, logits, e, early); });
    subgraph(to, choice, "else_branch", late,
             [&](GraphWriter& inner) { exit(inner, e + 1, after, shared, late); });
  }

  void answer(GraphWriter& to, const std::string& logits, std::size_t e, const std::string& prefix) {
    to.node("Softmax", prefix + "probabilities", {logits}, {{"axis", std::int64_t{1}}});
    to.node("Identity", prefix + "exit", {to.integers(prefix + "number", {static_cast<std::int64_t>(e)})});
  }

  template <class Write>
  void subgraph(GraphWriter& to, onnx::NodeProto& choice, const char* name, const std::string& prefix,
                const Write& write) {
    onnx::AttributeProto& attribute = *choice.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::GRAPH);
    attribute.mutable_g()->set_name(prefix + "graph");
    GraphWriter inner(*attribute.mutable_g(), to.graph());
    write(inner);
    inner.output(prefix + "probabilities", onnx::TensorProto::FLOAT, "", classes_);
    inner.output(prefix + "exit", onnx::TensorProto::INT64, "", {});
  }

  const Network& network_;
  const NetworkSpec& spec_;
  const std::vector<double>& thresholds_;
  bool batched_;
  Shape classes_;
};

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
    ExitWriter(last, graph.batched).write(to, last);
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
