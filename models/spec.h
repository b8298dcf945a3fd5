#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "layers/init.h"
#include "models/layer.h"

// A network as data: what is built, counted, truncated, stored in a checkpoint and printed by `cbnet info`.

namespace cbnet {

/// A side exit (BranchyNet, Teerapittayanon et al. 2016): a branch that classifies what the first `after`
/// trunk layers make.
struct ExitSpec {
  std::int64_t after = 0;
  LayerSpecs branch;

  friend bool operator==(const ExitSpec&, const ExitSpec&) = default;
};

/// A trunk and the side exits along it, in order. The trunk's end is the last exit.
struct NetworkSpec {
  std::string name;
  Shape input;  // of one sample, e.g. (1, 28, 28)
  LayerSpecs trunk;
  std::vector<ExitSpec> exits;
  Init init = Init::lecun_normal;

  friend bool operator==(const NetworkSpec&, const NetworkSpec&) = default;
};

/// What one layer costs for one sample.
struct LayerCost {
  std::string name;         // as in the state dict: "trunk.0", "exits.0.3"
  std::string description;  // "conv2d 5, kernel_size 5, padding 3"
  Shape output;             // of one sample
  std::int64_t macs = 0;    // multiply-adds of conv2d, linear and matmul, padding zeros included
  std::int64_t parameters = 0;
};

/// Layer by layer, the trunk up to each exit, then its branch. Throws std::invalid_argument, naming the
/// layer, when sizes do not fit, or when a layer behind an exit reads one before it.
std::vector<LayerCost> layer_costs(const NetworkSpec& spec);

/// What layer `i` of a list makes, given the shapes by position before it.
Shape next_shape(const LayerSpec& layer, std::size_t i, const std::vector<Shape>& shapes,
                 const std::string& prefix = "trunk.");

/// Shapes of one sample along `layers`, by position: what they are given, then what each makes.
std::vector<Shape> shapes_along(const LayerSpecs& layers, const Shape& input, const std::string& prefix = "");

/// Shape of one sample after the trunk's first `layers`.
Shape trunk_shape(const NetworkSpec& spec, std::int64_t layers);

/// What layer `i` of a list reads, by position.
std::vector<std::int64_t> inputs_of(const LayerSpec& layer, std::size_t i);

/// What the layers of a list cost, one after the other.
Cost list_cost(const LayerSpecs& layers, const Shape& input);
/// Throws std::invalid_argument for more than 2^63.
Cost sum(const Cost& a, const Cost& b);

/// Everything, all exits computed.
Cost total_cost(const NetworkSpec& spec);

/// MACs of a sample that leaves at exit 0, 1, …, spec.exits.size() (the trunk's end), the branches it
/// passed included.
std::vector<std::int64_t> macs_by_exit(const NetworkSpec& spec);

/// The first `layers` of the trunk followed by `head`: the paper's lightweight network (III-B, "layers 1
/// through k appended with a suitable output layer").
NetworkSpec truncate(const NetworkSpec& spec, std::int64_t layers, const LayerSpecs& head, std::string name);

/// JSON text and back; parsing throws InputError, naming what is wrong, for anything but a valid network.
std::string to_json(const NetworkSpec& spec);
NetworkSpec network_spec_from_json(const std::string& text);

}  // namespace cbnet
