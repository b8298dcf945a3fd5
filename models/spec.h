#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "layers/activation.h"
#include "layers/init.h"
#include "tensor/shape.h"

// A network as data: what is built, counted, truncated, stored in a checkpoint and printed by `cbnet info`.

namespace cbnet {

enum class LayerKind {
  conv2d,
  linear,
  max_pool2d,
  avg_pool2d,
  global_avg_pool2d,
  relu,
  leaky_relu,
  sigmoid,
  tanh,
  softmax,
  log_softmax,
  batch_norm,
  dropout,
  flatten,
  unflatten,
  transpose,
  add,
  mul,
  matmul,
  concat,
  residual,
};

/// "conv2d", … ; parse throws std::invalid_argument for another name.
const char* to_string(LayerKind kind);
LayerKind parse_layer_kind(const std::string& name);

/// One layer. Input sizes are not part of it: they follow from where it stands.
struct LayerSpec {
  LayerKind kind = LayerKind::relu;
  /// What it reads, as positions in its list: 0 is what the list is given, i + 1 what its layer i makes.
  /// Empty, as in most networks: what the layer before it makes. matmul reads two, concat any number; add and
  /// mul read two, or one and a constant of their own.
  std::vector<std::int64_t> inputs;
  std::int64_t out = 0;          // conv2d: channels; linear: features
  std::int64_t kernel_size = 1;  // conv2d, pools
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t dilation = 1;
  std::int64_t groups = 1;        // conv2d
  bool bias = true;               // conv2d, linear
  bool ceil_mode = false;         // pools
  bool count_include_pad = true;  // avg_pool2d
  double p = 0.0;                 // dropout: probability; leaky_relu: slope
  double epsilon = 1e-5;          // batch_norm
  std::int64_t axis = 0;          // concat: of one sample
  Shape shape;                    // unflatten: of one sample; transpose: order of its axes; add, mul: of the
                                  // constant, stretched like one sample; not empty
  std::vector<LayerSpec> body;    // residual
  std::vector<LayerSpec> shortcut;  // residual; empty is the identity

  friend bool operator==(const LayerSpec&, const LayerSpec&) = default;
};

using LayerSpecs = std::vector<LayerSpec>;

namespace spec {
struct ConvOptions {
  std::int64_t stride = 1, padding = 0, dilation = 1, groups = 1;
  bool bias = true;
};
LayerSpec conv2d(std::int64_t out_channels, std::int64_t kernel_size, const ConvOptions& options = {});
LayerSpec linear(std::int64_t out_features, bool bias = true);
LayerSpec max_pool2d(std::int64_t kernel_size, std::int64_t stride, bool ceil_mode = false);
LayerSpec avg_pool2d(std::int64_t kernel_size, std::int64_t stride, bool ceil_mode = false);
LayerSpec dropout(double p);
LayerSpec leaky_relu(double slope = 0.01);
LayerSpec unflatten(const Shape& shape);
LayerSpec residual(LayerSpecs body, LayerSpecs shortcut = {});
/// The kinds without options: relu, sigmoid, tanh, softmax, log_softmax, batch_norm, flatten,
/// global_avg_pool2d.
LayerSpec plain(LayerKind kind);
/// The kinds that read several layers: add, mul, matmul; and concat, along `axis` of one sample.
LayerSpec join(LayerKind kind, std::vector<std::int64_t> inputs, std::int64_t axis = 0);
}  // namespace spec

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
  std::string description;  // "conv2d 5, kernel 5, padding 3"
  Shape output;             // of one sample
  std::int64_t macs = 0;    // multiply-adds of conv2d, linear and matmul, padding zeros included
  std::int64_t parameters = 0;
};

/// Layer by layer, the trunk up to each exit, then its branch. Throws std::invalid_argument, naming the
/// layer, when sizes do not fit, or when a layer behind an exit reads one before it.
std::vector<LayerCost> layer_costs(const NetworkSpec& spec);

/// What layer `i` of a list makes, given the shapes by position before it.
Shape next_shape(const LayerSpec& layer, std::size_t i, const std::vector<Shape>& shapes);

/// Shapes of one sample along `layers`, by position: what they are given, then what each makes.
std::vector<Shape> shapes_along(const LayerSpecs& layers, const Shape& input);

/// Shape of one sample after the trunk's first `layers`.
Shape trunk_shape(const NetworkSpec& spec, std::int64_t layers);

/// What layer `i` of a list reads, by position.
std::vector<std::int64_t> inputs_of(const LayerSpec& layer, std::size_t i);

struct Cost {
  std::int64_t macs = 0;
  std::int64_t parameters = 0;
};

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
