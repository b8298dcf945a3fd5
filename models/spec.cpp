#include "models/spec.h"

#include <array>

#include "tensor/error.h"

namespace cbnet {
namespace {

constexpr std::array<const char*, 21> kLayerNames = {
    "conv2d",      "linear",     "max_pool2d", "avg_pool2d", "global_avg_pool2d",
    "relu",        "leaky_relu", "sigmoid",    "tanh",       "softmax",
    "log_softmax", "batch_norm", "dropout",    "flatten",    "unflatten",
    "transpose",   "add",        "mul",        "matmul",     "concat",
    "residual"};

std::int64_t checked_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  require(!__builtin_add_overflow(a, b, &sum), "spec",
          "a network of more than 2^63 weights or multiply-adds");
  return sum;
}

std::int64_t window_out(std::int64_t size, const LayerSpec& layer, const std::string& name) {
  require(layer.kernel_size >= 1 && layer.stride >= 1 && layer.dilation >= 1, name.c_str(),
          "kernel_size, stride and dilation must be at least 1");
  const std::int64_t out =
      window_count(size, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode);
  require(out >= 1, name.c_str(), "the kernel is larger than the padded input of ", size);
  return out;
}

LayerCost cost_of(const LayerSpec& layer, const std::vector<Shape>& inputs, const std::string& name);

LayerCost cost_in_list(const LayerSpec& layer, std::size_t i, std::size_t first,
                       const std::vector<Shape>& shapes, const std::string& name) {
  std::vector<Shape> inputs;
  for (const std::int64_t position : inputs_of(layer, i)) {
    require(position >= static_cast<std::int64_t>(first) && position <= static_cast<std::int64_t>(i),
            name.c_str(), "reads position ", position, "; expected ", first, " to ", i,
            " (a layer behind an exit cannot read one before it)");
    inputs.push_back(shapes.at(static_cast<std::size_t>(position)));
  }
  return cost_of(layer, inputs, name);
}

/// Runs through layers begin, …, end - 1 of a list, adding their costs to `out` and the shapes that they make
/// to `shapes`, which has those before them by position.
void walk(const LayerSpecs& layers, std::size_t begin, std::size_t end, const std::string& prefix,
          std::vector<Shape>& shapes, std::vector<LayerCost>& out) {
  for (std::size_t i = begin; i < end; ++i) {
    out.push_back(cost_in_list(layers[i], i, begin, shapes, concat(prefix, i)));
    shapes.push_back(out.back().output);
  }
}

/// All of a list.
Shape walk(const LayerSpecs& layers, const Shape& in, const std::string& prefix,
           std::vector<LayerCost>& out) {
  std::vector<Shape> shapes = {in};
  walk(layers, 0, layers.size(), prefix, shapes, out);
  return shapes.back();
}

/// A stored description may be hostile: sizes this large are no network, and their products overflow.
void check_sizes(const Shape& sizes, const std::string& name) {
  constexpr std::int64_t kMaxSize = 1 << 20;
  for (const std::int64_t size : sizes) {
    require(size >= 0 && size <= kMaxSize, name.c_str(), "sizes must be 0 to ", kMaxSize, "; got ", size);
  }
}

std::string describe_layer(const LayerSpec& layer) {
  std::string text = to_string(layer.kind);
  const bool window = layer.kind == LayerKind::conv2d || layer.kind == LayerKind::max_pool2d ||
                      layer.kind == LayerKind::avg_pool2d;
  if (layer.out > 0) text += concat(" ", layer.out);
  if (window) text += concat(", kernel ", layer.kernel_size);
  if (layer.stride > 1) text += concat(", stride ", layer.stride);
  if (layer.padding > 0) text += concat(", padding ", layer.padding);
  if (layer.dilation > 1) text += concat(", dilation ", layer.dilation);
  if (layer.groups > 1) text += concat(", groups ", layer.groups);
  if (layer.ceil_mode) text += ", ceil";
  if (layer.kind == LayerKind::dropout || layer.kind == LayerKind::leaky_relu) text += concat(" ", layer.p);
  if (!layer.shape.empty()) text += " " + to_string(layer.shape);
  for (std::size_t i = 0; i < layer.inputs.size(); ++i)
    text += concat(i == 0 ? " of " : ", ", layer.inputs[i]);
  return text;
}

LayerCost cost_of(const LayerSpec& layer, const std::vector<Shape>& inputs, const std::string& name) {
  const bool pair = layer.kind == LayerKind::matmul ||
                    ((layer.kind == LayerKind::add || layer.kind == LayerKind::mul) && layer.shape.empty());
  const std::size_t wanted = pair ? 2 : 1;
  require(layer.kind == LayerKind::concat ? !inputs.empty() : inputs.size() == wanted, name.c_str(),
          to_string(layer.kind), " reads ", wanted, " of the layers before it; got ", inputs.size());
  const Shape& in = inputs.front();
  LayerCost cost{name, describe_layer(layer), in, 0, 0};
  check_sizes(layer.shape, name);
  check_sizes({layer.out, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups},
              name);
  const auto need_image = [&] {
    require(in.size() == 3, name.c_str(), to_string(layer.kind), " needs (C,H,W); got ", to_string(in));
  };
  switch (layer.kind) {
    case LayerKind::conv2d: {
      need_image();
      require(
          layer.out >= 1 && layer.groups >= 1 && in[0] % layer.groups == 0 && layer.out % layer.groups == 0,
          name.c_str(), "channels (", in[0], " in, ", layer.out, " out) must divide into ", layer.groups,
          " groups");
      cost.output = {layer.out, window_out(in[1], layer, name), window_out(in[2], layer, name)};
      const std::int64_t taps = numel({in[0] / layer.groups, layer.kernel_size, layer.kernel_size});
      cost.macs = numel({numel(cost.output), taps});
      cost.parameters = checked_add(numel({layer.out, taps}), layer.bias ? layer.out : 0);
      break;
    }
    case LayerKind::linear:
      require(in.size() == 1 && layer.out >= 1, name.c_str(),
              "linear needs (features) and at least one output; got ", to_string(in),
              "; hint: flatten first");
      cost.output = {layer.out};
      cost.macs = numel({in[0], layer.out});
      cost.parameters = checked_add(cost.macs, layer.bias ? layer.out : 0);
      break;
    case LayerKind::max_pool2d:
    case LayerKind::avg_pool2d:
      need_image();
      cost.output = {in[0], window_out(in[1], layer, name), window_out(in[2], layer, name)};
      break;
    case LayerKind::global_avg_pool2d:
      need_image();
      cost.output = {in[0], 1, 1};
      break;
    case LayerKind::batch_norm:
      require(!in.empty(), name.c_str(), "batch_norm needs channels; got ", to_string(in));
      cost.parameters = numel({2, in[0]});
      break;
    case LayerKind::flatten:
      cost.output = {numel(in)};
      break;
    case LayerKind::unflatten:
      require(numel(layer.shape) == numel(in), name.c_str(), "cannot show ", to_string(in), " as ",
              to_string(layer.shape));
      cost.output = layer.shape;
      break;
    case LayerKind::transpose: {
      std::vector<bool> seen(in.size(), false);
      bool permutation = layer.shape.size() == in.size();
      for (std::size_t i = 0; permutation && i < in.size(); ++i) {
        const std::int64_t axis = layer.shape[i];
        permutation =
            axis >= 0 && axis < static_cast<std::int64_t>(in.size()) && !seen[static_cast<std::size_t>(axis)];
        if (!permutation) break;
        seen[static_cast<std::size_t>(axis)] = true;
        cost.output[i] = in[static_cast<std::size_t>(axis)];
      }
      require(permutation, name.c_str(), "transpose needs every axis of ", to_string(in), " once; got ",
              to_string(layer.shape));
      break;
    }
    case LayerKind::add:
    case LayerKind::mul: {
      const Shape& other = pair ? inputs[1] : layer.shape;
      require(pair ? other.size() == in.size() : other.size() <= in.size(), name.c_str(),
              "sizes do not fit; got ", to_string(in), " and ", to_string(other));
      cost.output = broadcast_shapes(in, other, name.c_str());
      if (!pair) cost.parameters = numel(layer.shape);
      break;
    }
    case LayerKind::matmul:
      require(in.size() == 2 && inputs[1].size() == 2 && in[1] == inputs[1][0], name.c_str(),
              "matmul needs (M,K) and (K,N); got ", to_string(in), " and ", to_string(inputs[1]));
      cost.output = {in[0], inputs[1][1]};
      cost.macs = numel({in[0], in[1], inputs[1][1]});
      break;
    case LayerKind::concat: {
      require(layer.axis >= 0 && layer.axis < static_cast<std::int64_t>(in.size()), name.c_str(),
              "concat along axis ", layer.axis, " of ", to_string(in));
      const auto axis = static_cast<std::size_t>(layer.axis);
      cost.output[axis] = 0;
      for (Shape part : inputs) {
        require(part.size() == in.size(), name.c_str(), "concat needs one rank; got ", to_string(in), " and ",
                to_string(part));
        cost.output[axis] = checked_add(cost.output[axis], part[axis]);
        part[axis] = in[axis];
        require(part == in, name.c_str(), "concat needs equal sizes besides axis ", layer.axis, "; got ",
                to_string(in), " and ", to_string(part));
      }
      break;
    }
    case LayerKind::residual: {
      std::vector<LayerCost> inner;
      const Shape body = walk(layer.body, in, name + ".body.", inner);
      const Shape shortcut = walk(layer.shortcut, in, name + ".shortcut.", inner);
      require(body == shortcut, name.c_str(), "body and shortcut must give one shape; got ", to_string(body),
              " and ", to_string(shortcut));
      cost.output = body;
      for (const LayerCost& part : inner) {
        cost.macs = checked_add(cost.macs, part.macs);
        cost.parameters = checked_add(cost.parameters, part.parameters);
      }
      break;
    }
    default:
      break;
  }
  return cost;
}

}  // namespace

const char* to_string(LayerKind kind) { return kLayerNames.at(static_cast<std::size_t>(kind)); }

LayerKind parse_layer_kind(const std::string& name) {
  for (std::size_t i = 0; i < kLayerNames.size(); ++i) {
    if (name == kLayerNames[i]) return static_cast<LayerKind>(i);
  }
  require(false, "spec", "unknown layer kind '", name, "'");
  return LayerKind::relu;
}

namespace spec {

LayerSpec plain(LayerKind kind) {
  LayerSpec layer;
  layer.kind = kind;
  return layer;
}

LayerSpec conv2d(std::int64_t out_channels, std::int64_t kernel_size, const ConvOptions& options) {
  LayerSpec layer = plain(LayerKind::conv2d);
  layer.out = out_channels;
  layer.kernel_size = kernel_size;
  layer.stride = options.stride;
  layer.padding = options.padding;
  layer.dilation = options.dilation;
  layer.groups = options.groups;
  layer.bias = options.bias;
  return layer;
}

LayerSpec linear(std::int64_t out_features, bool bias) {
  LayerSpec layer = plain(LayerKind::linear);
  layer.out = out_features;
  layer.bias = bias;
  return layer;
}

namespace {
LayerSpec pool(LayerKind kind, std::int64_t kernel_size, std::int64_t stride, bool ceil_mode) {
  LayerSpec layer = plain(kind);
  layer.kernel_size = kernel_size;
  layer.stride = stride;
  layer.ceil_mode = ceil_mode;
  return layer;
}
}  // namespace

LayerSpec max_pool2d(std::int64_t kernel_size, std::int64_t stride, bool ceil_mode) {
  return pool(LayerKind::max_pool2d, kernel_size, stride, ceil_mode);
}

LayerSpec avg_pool2d(std::int64_t kernel_size, std::int64_t stride, bool ceil_mode) {
  return pool(LayerKind::avg_pool2d, kernel_size, stride, ceil_mode);
}

LayerSpec dropout(double p) {
  LayerSpec layer = plain(LayerKind::dropout);
  layer.p = p;
  return layer;
}

LayerSpec leaky_relu(double slope) {
  LayerSpec layer = plain(LayerKind::leaky_relu);
  layer.p = slope;
  return layer;
}

LayerSpec unflatten(const Shape& shape) {
  LayerSpec layer = plain(LayerKind::unflatten);
  layer.shape = shape;
  return layer;
}

LayerSpec join(LayerKind kind, std::vector<std::int64_t> inputs, std::int64_t axis) {
  LayerSpec layer = plain(kind);
  layer.inputs = std::move(inputs);
  layer.axis = axis;
  return layer;
}

LayerSpec residual(LayerSpecs body, LayerSpecs shortcut) {
  LayerSpec layer = plain(LayerKind::residual);
  layer.body = std::move(body);
  layer.shortcut = std::move(shortcut);
  return layer;
}

}  // namespace spec

std::vector<std::int64_t> inputs_of(const LayerSpec& layer, std::size_t i) {
  return layer.inputs.empty() ? std::vector<std::int64_t>{static_cast<std::int64_t>(i)} : layer.inputs;
}

Shape next_shape(const LayerSpec& layer, std::size_t i, const std::vector<Shape>& shapes) {
  return cost_in_list(layer, i, 0, shapes, concat("trunk.", i)).output;
}

std::vector<Shape> shapes_along(const LayerSpecs& layers, const Shape& input) {
  std::vector<Shape> shapes = {input};
  std::vector<LayerCost> ignored;
  walk(layers, 0, layers.size(), "", shapes, ignored);
  return shapes;
}

std::vector<LayerCost> layer_costs(const NetworkSpec& network) {
  std::vector<LayerCost> out;
  check_sizes(network.input, "input");
  std::vector<Shape> shapes = {network.input};
  std::size_t done = 0;
  const auto advance = [&](std::size_t to) {
    walk(network.trunk, done, to, "trunk.", shapes, out);
    done = to;
  };
  for (std::size_t e = 0; e < network.exits.size(); ++e) {
    const ExitSpec& exit = network.exits[e];
    require(exit.after >= static_cast<std::int64_t>(done) &&
                exit.after <= static_cast<std::int64_t>(network.trunk.size()),
            "spec", "exits must stand along the trunk in order; exit ", e, " is after layer ", exit.after);
    advance(static_cast<std::size_t>(exit.after));
    walk(exit.branch, shapes.back(), concat("exits.", e, "."), out);
  }
  advance(network.trunk.size());
  return out;
}

Shape trunk_shape(const NetworkSpec& network, std::int64_t layers) {
  require(layers >= 0 && layers <= static_cast<std::int64_t>(network.trunk.size()), "spec", "the trunk has ",
          network.trunk.size(), " layers; got ", layers);
  return shapes_along({network.trunk.begin(), network.trunk.begin() + layers}, network.input).back();
}

Cost total_cost(const NetworkSpec& network) {
  Cost total;
  for (const LayerCost& layer : layer_costs(network)) {
    total.macs = checked_add(total.macs, layer.macs);
    total.parameters = checked_add(total.parameters, layer.parameters);
  }
  return total;
}

std::vector<std::int64_t> macs_by_exit(const NetworkSpec& network) {
  std::vector<std::int64_t> out;
  NetworkSpec prefix = network;
  for (std::size_t e = 0; e < network.exits.size(); ++e) {
    prefix.exits.assign(network.exits.begin(), network.exits.begin() + static_cast<std::ptrdiff_t>(e) + 1);
    prefix.trunk.assign(network.trunk.begin(), network.trunk.begin() + network.exits[e].after);
    out.push_back(total_cost(prefix).macs);
  }
  out.push_back(total_cost(network).macs);
  return out;
}

NetworkSpec truncate(const NetworkSpec& network, std::int64_t layers, const LayerSpecs& head,
                     std::string name) {
  require(layers >= 0 && layers <= static_cast<std::int64_t>(network.trunk.size()), "truncate",
          "the trunk has ", network.trunk.size(), " layers; got ", layers);
  NetworkSpec out{std::move(name), network.input, {}, {}, network.init};
  out.trunk.assign(network.trunk.begin(), network.trunk.begin() + layers);
  out.trunk.insert(out.trunk.end(), head.begin(), head.end());
  static_cast<void>(layer_costs(out));  // throws when the head does not fit
  return out;
}

}  // namespace cbnet
