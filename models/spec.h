#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "layers/init.h"
#include "models/layer.h"

// A network is data here: what is built, counted, truncated, stored in a checkpoint and printed by `cbnet
// info`.

namespace cbnet {

/// This is a side exit (BranchyNet, Teerapittayanon et al. 2016): a branch that classifies what the first
/// `after` trunk layers make.
struct ExitSpec {
  std::int64_t after = 0;
  LayerSpecs branch;

  friend bool operator==(const ExitSpec&, const ExitSpec&) = default;
};

/// A network is a trunk and the side exits along it, in order. The trunk's end is the last exit.
struct NetworkSpec {
  std::string name;
  Shape input;  // of one sample, e.g. (1, 28, 28)
  LayerSpecs trunk;
  std::vector<ExitSpec> exits;
  Init init = Init::lecun_normal;

  friend bool operator==(const NetworkSpec&, const NetworkSpec&) = default;
};

/// One layer costs this for one sample.
struct LayerCost {
  std::string name;         // as in the state dict: "trunk.0", "exits.0.3"
  std::string description;  // "conv2d 5, kernel_size 5, padding 3"
  Shape output;             // of one sample
  std::int64_t macs = 0;    // multiply-adds of conv2d, linear and matmul, padding zeros included
  std::int64_t parameters = 0;
};

/// Lists costs layer by layer, the trunk up to each exit, then its branch. Throws std::invalid_argument,
/// naming the layer, when sizes do not fit, or when a layer behind an exit reads one before it.
std::vector<LayerCost> layer_costs(const NetworkSpec& spec);

/// Layers of a list know each other by position: 0 is what the list is given, i + 1 what its layer i makes.
/// Returns the shape of what layer `i` makes, given the shapes at the positions before it.
Shape next_shape(const LayerSpec& layer, std::size_t i, const std::vector<Shape>& shapes,
                 const std::string& prefix = "trunk.");

/// Returns the shapes of one sample along `layers`, by position.
std::vector<Shape> shapes_along(const LayerSpecs& layers, const Shape& input, const std::string& prefix = "");

/// Returns the shape of one sample after the trunk's first `layers`.
Shape trunk_shape(const NetworkSpec& spec, std::int64_t layers);

/// Returns the positions that layer `i` of a list reads.
std::vector<std::int64_t> inputs_of(const LayerSpec& layer, std::size_t i);

/// Returns what the layers of a list cost together.
Cost list_cost(const LayerSpecs& layers, const Shape& input);
/// Adds costs; throws std::invalid_argument for more than 2^63.
Cost sum(const Cost& a, const Cost& b);

/// Returns the cost of everything, all exits computed.
Cost total_cost(const NetworkSpec& spec);

/// Returns the MACs of a sample that leaves at exit 0, 1, …, spec.exits.size() (the trunk's end), the
/// branches it passed included.
std::vector<std::int64_t> macs_by_exit(const NetworkSpec& spec);

/// Returns the first `layers` of the trunk followed by `head`: the paper's lightweight network (III-B,
/// "layers 1 through k appended with a suitable output layer").
NetworkSpec truncate(const NetworkSpec& spec, std::int64_t layers, const LayerSpecs& head, std::string name);

/// These make JSON text and read it; parsing throws InputError, naming what is wrong, for anything but a
/// valid network.
std::string to_json(const NetworkSpec& spec);
NetworkSpec network_spec_from_json(const std::string& text);

}  // namespace cbnet
