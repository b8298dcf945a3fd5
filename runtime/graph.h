#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/linear.h"
#include "tensor/calls.h"
#include "tensor/shape.h"
#include "tensor/tensor.h"
#include "tensor/windows.h"

// A graph is a trained network as the planner takes it: layers with their weights, in an order in which each
// reads only what stands before it. models/compile makes one from a Network; plan_file stores one.

namespace cbnet::runtime {

/// A node is one of these: the lines of runtime/kinds.def.
enum class Kind : std::uint8_t {
#define KIND(name, ...) name,
#include "runtime/kinds.def"
};
/// Returns all of them, in the order of their numbers.
inline constexpr Kind kKinds[] = {
#define KIND(name, ...) Kind::name,
#include "runtime/kinds.def"
};

const char* to_string(Kind kind);

struct Node {
  Kind kind = Kind::relu;
  std::string name;  // for messages and tables: "trunk.0"
  /// A node reads these: 0 is the network's input, i + 1 what node i makes.
  std::vector<std::int32_t> inputs;
  Shape shape;  // of one sample of what it makes
  // conv2d and pools
  Window2d window;
  std::int64_t groups = 1;
  bool count_include_pad = true;
  double value = 0.0;
  Pointwise function = Pointwise::relu;  // pointwise
  std::int64_t axis = 0;
  std::vector<std::int64_t> axes;
  std::vector<std::int64_t> starts, steps;  // slice, by axis
  Tensor weight, bias;                      // f32; undefined where there is none
  LinearWeights dense;                      // linear
  QuantParams input;                        // linear with int8 weights: what the bytes it reads stand for
  /// This is for conv2d whose weights are int8: each is its output's scale times -127 … 127.
  std::vector<float> scales;
  /// This is what bytes stand for where what the node makes lies as bytes between convolutions.
  std::optional<QuantParams> range;
};

/// A graph has side exits: a sample whose logits at `logits` have an entropy below `threshold` (nats, strict)
/// leaves there.
struct Exit {
  std::int32_t logits = 0;
  double threshold = 0.0;
};

/// A graph has at most so many layers: far above any network, few enough to compile in seconds.
inline constexpr std::size_t kMaxNodes = 4096;

struct Graph {
  std::string name;
  Shape input;  // of one sample
  std::vector<Node> nodes;
  /// They are in order; what only a later exit needs stands behind `logits`.
  std::vector<Exit> exits;
  /// The last node makes logits; false for an autoencoder, whose last node makes pixels.
  bool classifies = true;
  /// This is JSON text: where the weights come from, how accurate they were.
  std::string provenance = "{}";
};

/// Returns the shape of one sample of value `v` of a graph: its input, or what a node makes.
const Shape& value_shape(const Graph& graph, std::int32_t v);

/// Returns what bytes of value v stand for, where it may lie as bytes: those of the input are pixels.
std::optional<QuantParams> value_range(const Graph& graph, std::int32_t v);

/// Counts the multiply-adds of a node for one sample: conv2d, linear and matmul; padding zeros included,
/// weights that a mask leaves out not.
std::int64_t node_macs(const Graph& graph, const Node& node);

/// Counts the bytes of a node's weights in their precision, without those that a mask leaves out.
std::int64_t node_weight_bytes(const Node& node);

/// Throws std::invalid_argument("[graph] …"), naming the node, unless every node reads earlier values of
/// fitting shapes, makes `shape`, has finite weights of fitting sizes and leaves every field that means
/// nothing to its kind at its default. At most kMaxNodes nodes.
void check(const Graph& graph);

/// Returns the same function with fewer multiply-adds: affine layers folded into the convolution or linear
/// layer before them, two linear layers with nothing between them made one where that is less work, shapes
/// that change nothing dropped, ReLU moved behind the pooling it commutes with. Quantized layers stay as they
/// are.
Graph fold(const Graph& graph);

}  // namespace cbnet::runtime
