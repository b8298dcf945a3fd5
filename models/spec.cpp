#include "models/spec.h"

#include "tensor/error.h"

namespace cbnet {
namespace {

std::int64_t checked_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  require(!__builtin_add_overflow(a, b, &sum), "spec",
          "a network of more than 2^63 weights or multiply-adds");
  return sum;
}

/// Calls f(), with the layer's name before what it throws.
template <class F>
auto named(const std::string& name, F f) {
  try {
    return f();
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(concat(name, ": ", error.what()));
  }
}

/// Returns the shapes of what layer `i` of a list reads; it may read no position before `first`.
std::vector<Shape> shapes_read(const LayerSpec& layer, std::size_t i, std::size_t first,
                               const std::vector<Shape>& shapes) {
  std::vector<Shape> in;
  for (const std::int64_t position : inputs_of(layer, i)) {
    require(position >= static_cast<std::int64_t>(first) && position <= static_cast<std::int64_t>(i),
            layer->kind(), "reads position ", position, "; expected ", first, " to ", i,
            " (a layer behind an exit cannot read one before it)");
    in.push_back(shapes.at(static_cast<std::size_t>(position)));
  }
  return in;
}

/// A walk goes along a list of layers, with the shape at every position that it has passed:
///
///   position   0         1           2
///              input  -> layer 0  -> layer 1  -> …
class ListWalk {
 public:
  ListWalk(const LayerSpecs& layers, const Shape& input, std::string prefix)
      : layers_(layers), prefix_(std::move(prefix)), shapes_{input} {}

  std::size_t position() const { return shapes_.size() - 1; }
  const Shape& shape() const { return shapes_.back(); }

  /// Goes on to position `end` and adds the costs of the layers on the way to `out`. None of them may read
  /// what stands before the position where this begins.
  void advance(std::size_t end, std::vector<LayerCost>& out) {
    const std::size_t begin = position();
    for (std::size_t i = begin; i < end; ++i) {
      const std::string name = concat(prefix_, i);
      named(name, [&] {
        const LayerSpec& layer = layers_[i];
        const std::vector<Shape> in = shapes_read(layer, i, begin, shapes_);
        shapes_.push_back(layer->infer(in));
        const Cost cost = layer->cost(in, shape());
        out.push_back({name, describe(layer), shape(), cost.macs, cost.parameters});
      });
    }
  }

 private:
  const LayerSpecs& layers_;
  std::string prefix_;  // of the layers' names
  std::vector<Shape> shapes_;
};

Cost total(const std::vector<LayerCost>& layers) {
  Cost out;
  for (const LayerCost& layer : layers) out = sum(out, {layer.macs, layer.parameters});
  return out;
}

}  // namespace

Cost sum(const Cost& a, const Cost& b) {
  return {checked_add(a.macs, b.macs), checked_add(a.parameters, b.parameters)};
}

Cost list_cost(const LayerSpecs& layers, const Shape& input) {
  std::vector<LayerCost> costs;
  ListWalk(layers, input, "").advance(layers.size(), costs);
  return total(costs);
}

std::vector<std::int64_t> inputs_of(const LayerSpec& layer, std::size_t i) {
  return layer.inputs.empty() ? std::vector<std::int64_t>{static_cast<std::int64_t>(i)} : layer.inputs;
}

Shape next_shape(const LayerSpec& layer, std::size_t i, const std::vector<Shape>& shapes,
                 const std::string& prefix) {
  return named(concat(prefix, i), [&] { return layer->infer(shapes_read(layer, i, 0, shapes)); });
}

std::vector<Shape> shapes_along(const LayerSpecs& layers, const Shape& input, const std::string& prefix) {
  std::vector<Shape> shapes = {input};
  for (std::size_t i = 0; i < layers.size(); ++i) shapes.push_back(next_shape(layers[i], i, shapes, prefix));
  return shapes;
}

std::vector<LayerCost> layer_costs(const NetworkSpec& network) {
  constexpr std::int64_t kMaxSize = 1 << 20;  // a stored description may be hostile
  for (const std::int64_t size : network.input)
    require(size >= 0 && size <= kMaxSize, "input", "sizes must be 0 to ", kMaxSize, "; got ", size);
  std::vector<LayerCost> out;
  ListWalk trunk(network.trunk, network.input, "trunk.");
  for (std::size_t e = 0; e < network.exits.size(); ++e) {
    const auto& [after, branch] = network.exits[e];
    require(after >= static_cast<std::int64_t>(trunk.position()) &&
                after <= static_cast<std::int64_t>(network.trunk.size()),
            "spec", "exits must stand along the trunk in order; exit ", e, " is after layer ", after);
    trunk.advance(static_cast<std::size_t>(after), out);
    ListWalk(branch, trunk.shape(), concat("exits.", e, ".")).advance(branch.size(), out);
  }
  trunk.advance(network.trunk.size(), out);
  return out;
}

Shape trunk_shape(const NetworkSpec& network, std::int64_t layers) {
  require(layers >= 0 && layers <= static_cast<std::int64_t>(network.trunk.size()), "spec", "the trunk has ",
          network.trunk.size(), " layers; got ", layers);
  return shapes_along({network.trunk.begin(), network.trunk.begin() + layers}, network.input).back();
}

Cost total_cost(const NetworkSpec& network) { return total(layer_costs(network)); }

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
