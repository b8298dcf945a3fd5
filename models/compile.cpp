#include "models/compile.h"

#include "models/kinds/log_softmax.h"
#include "models/kinds/softmax.h"
#include "models/lowering.h"

namespace cbnet {
namespace {

using runtime::Graph;
using runtime::Kind;
using runtime::Node;

/// Copies a weight, so that the graph keeps its weights when training goes on.
Lowering::State state_of(const Network& network) {
  require(network.dtype() == DType::f32, "compile", "the inference engine is f32; got ",
          to_string(network.dtype()));
  Lowering::State out;
  for (const auto& [name, tensor] : network.state_dict()) out[name] = tensor.clone();
  return out;
}

/// Finds where a classifier's logits are: a softmax at the end of its layers adds nothing to the plan's own.
LayerSpecs without_softmax(LayerSpecs layers) {
  while (!layers.empty() && (layers.back().is<kinds::Softmax>() || layers.back().is<kinds::LogSoftmax>()))
    layers.pop_back();
  return layers;
}

std::int32_t append_autoencoder(Graph& graph, const Network& network, double rescale) {
  const NetworkSpec& spec = network.spec();
  const Lowering::State state = state_of(network);
  const std::int32_t made = Lowering(graph, state).append(spec.trunk, 0, spec.input, "trunk.");
  if (rescale == 1.0) return made;
  Node node;
  node.kind = Kind::rescale;
  node.name = "rescale";
  node.inputs = {made};
  node.shape = value_shape(graph, made);
  node.value = rescale;
  graph.nodes.push_back(std::move(node));
  return static_cast<std::int32_t>(graph.nodes.size());
}

}  // namespace

Graph classifier_graph(const Network& network, const std::vector<double>& thresholds) {
  const NetworkSpec& spec = network.spec();
  require(thresholds.size() == spec.exits.size(), "compile", "expected a threshold for each of ",
          spec.exits.size(), " side exits; got ", thresholds.size());
  Graph graph;
  graph.name = spec.name;
  graph.input = spec.input;
  const Lowering::State state = state_of(network);
  Lowering compiler(graph, state);
  const LayerSpecs trunk = without_softmax(spec.trunk);
  const auto need_layer_behind = [&](bool there) {
    require(there, "compile", "'", spec.name, "' needs a layer behind its last side exit");
  };
  need_layer_behind(spec.exits.empty() || spec.exits.back().after < static_cast<std::int64_t>(trunk.size()));
  Lowering::Made made{{0}, {spec.input}};
  for (std::size_t e = 0; e < spec.exits.size(); ++e) {
    compiler.append(trunk, static_cast<std::size_t>(spec.exits[e].after), "trunk.", made);
    const std::int32_t logits = compiler.append(without_softmax(spec.exits[e].branch), made.values.back(),
                                                made.shapes.back(), concat("exits.", e, "."));
    graph.exits.push_back({logits, thresholds[e]});
  }
  compiler.append(trunk, trunk.size(), "trunk.", made);
  need_layer_behind(made.values.back() == static_cast<std::int32_t>(graph.nodes.size()));  // dropout is none
  return graph;
}

Graph autoencoder_graph(const Network& network, double rescale) {
  Graph graph;
  graph.name = network.spec().name;
  graph.input = network.spec().input;
  graph.classifies = false;
  append_autoencoder(graph, network, rescale);
  return graph;
}

Graph cbnet_graph(const Network& autoencoder, double rescale, const Network& classifier,
                  const Normalisation& of_autoencoder, const Normalisation& of_classifier) {
  Graph graph;
  graph.name = "cbnet";
  graph.input = autoencoder.spec().input;
  const std::int32_t converted = append_autoencoder(graph, autoencoder, rescale);
  const std::size_t first_of_classifier = graph.nodes.size() + 1;
  const NetworkSpec& spec = classifier.spec();
  require(numel(value_shape(graph, converted)) == numel(spec.input), "compile", "the classifier reads ",
          spec.input, "; the autoencoder makes ", value_shape(graph, converted));
  runtime::Node planes;
  planes.kind = Kind::reshape;
  planes.name = "converted";
  planes.inputs = {converted};
  planes.shape = spec.input;
  graph.nodes.push_back(std::move(planes));
  const Lowering::State state = state_of(classifier);
  Lowering(graph, state)
      .append(without_softmax(spec.trunk), static_cast<std::int32_t>(graph.nodes.size()), spec.input,
              "trunk.");
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    graph.nodes[i].name.insert(0, i < first_of_classifier ? "autoencoder." : "classifier.");
  }
  // The later one goes first, since it leaves the places before it as they are.
  insert_normalisation(graph, static_cast<std::int32_t>(first_of_classifier), of_classifier, "classifier.");
  insert_normalisation(graph, 0, of_autoencoder, "autoencoder.");
  return graph;
}

Graph model_graph(const Model& model) {
  Graph graph = model.info.model == "autoencoder" ? autoencoder_graph(*model.network, model.info.rescale)
                                                  : classifier_graph(*model.network, model.info.thresholds);
  insert_normalisation(graph, 0, model.info.normalisation, "");
  return graph;
}

Graph cbnet_graph(const Model& autoencoder, const Model& classifier) {
  return cbnet_graph(*autoencoder.network, autoencoder.info.rescale, *classifier.network,
                     autoencoder.info.normalisation, classifier.info.normalisation);
}

}  // namespace cbnet
