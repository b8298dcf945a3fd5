#include "models/compile.h"

#include <cmath>
#include <map>

namespace cbnet {
namespace {

using runtime::Graph;
using runtime::Kind;
using runtime::Node;

Kind kind_of(LayerKind kind) {
  switch (kind) {
    case LayerKind::conv2d:
      return Kind::conv2d;
    case LayerKind::linear:
      return Kind::linear;
    case LayerKind::max_pool2d:
      return Kind::max_pool2d;
    case LayerKind::avg_pool2d:
    case LayerKind::global_avg_pool2d:
      return Kind::avg_pool2d;
    case LayerKind::relu:
      return Kind::relu;
    case LayerKind::leaky_relu:
      return Kind::leaky_relu;
    case LayerKind::sigmoid:
      return Kind::sigmoid;
    case LayerKind::tanh:
      return Kind::tanh;
    case LayerKind::softmax:
      return Kind::softmax;
    case LayerKind::log_softmax:
      return Kind::log_softmax;
    case LayerKind::batch_norm:
      return Kind::affine;
    case LayerKind::transpose:
      return Kind::transpose;
    case LayerKind::add:
    case LayerKind::residual:
      return Kind::add;
    case LayerKind::mul:
      return Kind::mul;
    case LayerKind::matmul:
      return Kind::matmul;
    case LayerKind::concat:
      return Kind::concat;
    case LayerKind::dropout:
    case LayerKind::flatten:
    case LayerKind::unflatten:
      break;
  }
  return Kind::reshape;
}

/// Appends the layers of networks to one graph.
class Compiler {
 public:
  Compiler(Graph& graph, const Network& network) : graph_(graph) {
    require(network.dtype() == DType::f32, "compile", "the inference engine is f32; got ",
            to_string(network.dtype()));
    for (const auto& [name, tensor] : network.state_dict()) state_[name] = tensor.clone();
  }

  /// What layers begin, …, end - 1 make of value at.back(); `at` holds values by position and grows.
  void append(const LayerSpecs& layers, std::size_t begin, std::size_t end, std::vector<std::int32_t>& at,
              std::vector<Shape>& shapes, const std::string& prefix) {
    for (std::size_t i = begin; i < end; ++i) {
      std::vector<std::int32_t> inputs;
      for (const std::int64_t position : inputs_of(layers[i], i))
        inputs.push_back(at[static_cast<std::size_t>(position)]);
      const Shape& in = shapes[static_cast<std::size_t>(inputs_of(layers[i], i).front())];
      const Shape made = next_shape(layers[i], i, shapes);
      at.push_back(append_layer(layers[i], inputs, in, made, prefix + std::to_string(i)));
      shapes.push_back(made);
    }
  }

  std::int32_t append_all(const LayerSpecs& layers, std::int32_t from, const Shape& input,
                          const std::string& prefix) {
    std::vector<std::int32_t> at = {from};
    std::vector<Shape> shapes = {input};
    append(layers, 0, layers.size(), at, shapes, prefix);
    return at.back();
  }

 private:
  std::int32_t push(Node node) {
    graph_.nodes.push_back(std::move(node));
    return static_cast<std::int32_t>(graph_.nodes.size());
  }

  Tensor state(const std::string& name) const {
    const auto found = state_.find(name);
    return found == state_.end() ? Tensor() : found->second;
  }

  std::int32_t append_layer(const LayerSpec& layer, const std::vector<std::int32_t>& inputs, const Shape& in,
                            const Shape& made, const std::string& name) {
    Node node;
    node.kind = kind_of(layer.kind);
    node.name = name;
    node.inputs = inputs;
    node.shape = made;
    node.kernel_h = node.kernel_w = layer.kernel_size;
    node.stride = layer.stride;
    node.padding = layer.padding;
    node.dilation = layer.dilation;
    node.groups = layer.groups;
    node.ceil_mode = layer.ceil_mode;
    node.count_include_pad = layer.count_include_pad;
    switch (layer.kind) {
      case LayerKind::dropout:
        return inputs.front();
      case LayerKind::leaky_relu:
        node.value = layer.p;
        break;
      case LayerKind::concat:
        node.axis = layer.axis;
        break;
      case LayerKind::transpose:
        node.axes = layer.shape;
        break;
      case LayerKind::conv2d:
        node.weight = state(name + ".weight");
        node.bias = state(name + ".bias");
        break;
      case LayerKind::linear:
        set_linear(node, in.at(0), name);
        break;
      case LayerKind::batch_norm:
        set_batch_norm(node, layer.epsilon, name);
        break;
      case LayerKind::add:
      case LayerKind::mul:
        if (inputs.size() == 1) node.weight = state(name + ".value");
        break;
      case LayerKind::global_avg_pool2d:
        node.kernel_h = in.at(1);
        node.kernel_w = in.at(2);
        break;
      case LayerKind::residual: {
        const std::int32_t body = append_all(layer.body, inputs.front(), in, name + ".body.");
        node.inputs = {body, append_all(layer.shortcut, inputs.front(), in, name + ".shortcut.")};
        break;
      }
      default:
        break;
    }
    return push(std::move(node));
  }

  void set_linear(Node& node, std::int64_t in, const std::string& name) {
    const Tensor weight = state(name + ".weight");
    node.dense.in = in;
    node.dense.out = weight.size(0);
    node.dense.fp32 = weight.to_vector<float>();
    if (const Tensor bias = state(name + ".bias"); bias.defined()) node.dense.bias = bias.to_vector<float>();
  }

  /// In eval mode a factor and a summand a channel.
  void set_batch_norm(Node& node, double epsilon, const std::string& name) {
    const auto read = [&](const char* part) { return state(name + part).to_vector<double>(); };
    const std::vector<double> weight = read(".gamma"), bias = read(".beta"), mean = read(".running_mean"),
                              var = read(".running_var");
    std::vector<float> factor, summand;
    for (std::size_t c = 0; c < weight.size(); ++c) {
      const double scale = weight[c] / std::sqrt(var[c] + epsilon);
      factor.push_back(static_cast<float>(scale));
      summand.push_back(static_cast<float>(bias[c] - scale * mean[c]));
    }
    const Shape shape = {static_cast<std::int64_t>(weight.size())};
    node.weight = Tensor::from(factor, shape);
    node.bias = Tensor::from(summand, shape);
  }

  Graph& graph_;
  std::map<std::string, Tensor> state_;
};

/// Where a classifier's logits are: a softmax at the end of its layers adds nothing to the plan's own.
LayerSpecs without_softmax(LayerSpecs layers) {
  while (!layers.empty() &&
         (layers.back().kind == LayerKind::softmax || layers.back().kind == LayerKind::log_softmax))
    layers.pop_back();
  return layers;
}

std::int32_t append_autoencoder(Graph& graph, const Network& network, double rescale) {
  const NetworkSpec& spec = network.spec();
  std::int32_t made = Compiler(graph, network).append_all(spec.trunk, 0, spec.input, "trunk.");
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
  Compiler compiler(graph, network);
  const LayerSpecs trunk = without_softmax(spec.trunk);
  const auto need_layer_behind = [&](bool there) {
    require(there, "compile", "'", spec.name, "' needs a layer behind its last side exit");
  };
  need_layer_behind(spec.exits.empty() || spec.exits.back().after < static_cast<std::int64_t>(trunk.size()));
  std::vector<std::int32_t> at = {0};
  std::vector<Shape> shapes = {spec.input};
  std::size_t done = 0;
  for (std::size_t e = 0; e < spec.exits.size(); ++e) {
    const auto after = static_cast<std::size_t>(spec.exits[e].after);
    compiler.append(trunk, done, after, at, shapes, "trunk.");
    done = after;
    const std::int32_t logits = compiler.append_all(without_softmax(spec.exits[e].branch), at.back(),
                                                    shapes.back(), concat("exits.", e, "."));
    graph.exits.push_back({logits, thresholds[e]});
  }
  compiler.append(trunk, done, trunk.size(), at, shapes, "trunk.");
  need_layer_behind(at.back() == static_cast<std::int32_t>(graph.nodes.size()));  // dropout is none
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
  Compiler(graph, classifier)
      .append_all(without_softmax(spec.trunk), static_cast<std::int32_t>(graph.nodes.size()), spec.input,
                  "trunk.");
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    graph.nodes[i].name.insert(0, i < first_of_classifier ? "autoencoder." : "classifier.");
  }
  // The later one first: it leaves the places before it as they are.
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
