#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/layer.h"
#include "runtime/graph.h"

namespace cbnet {

/// This is one layer on its way into the inference engine: the values of the graph that it reads, and where
/// its nodes go.
class Lowering {
 public:
  /// `weights` go by name, as in the state dict.
  using State = std::map<std::string, Tensor>;

  Lowering(runtime::Graph& graph, const State& state) : graph_(graph), state_(state) {}

  /// The values of a list stand here, and their shapes, by position.
  struct Made {
    std::vector<std::int32_t> values;
    std::vector<Shape> shapes;
  };

  /// Appends the layers of a list called `prefix` from where `made` ends to position `end`; `made` grows.
  void append(const LayerSpecs& layers, std::size_t end, const std::string& prefix, Made& made);
  /// Appends all of a list; returns the value that its last layer makes.
  std::int32_t append(const LayerSpecs& layers, std::int32_t from, const Shape& input,
                      const std::string& prefix);

  // These are of the layer that is being lowered:

  std::int32_t input(std::size_t i = 0) const { return inputs.at(i); }
  const Shape& in(std::size_t i = 0) const { return in_shapes.at(i); }
  /// Returns the layer's own weight, f32; undefined where it has none of that name.
  Tensor weight(const char* part) const;
  /// Appends a node and returns the value that it makes. Without inputs it reads what the layer reads,
  /// without a shape it makes what the layer makes.
  std::int32_t push(runtime::Node node);
  std::int32_t push(runtime::Kind kind, double value = 0.0);
  /// Appends a function of tensor/pointwise.def of value `from`, which has the shape of what the layer makes.
  std::int32_t push(Pointwise function, std::int32_t from, double a = 0.0);
  [[noreturn]] void refuse(const std::string& why) const;

  std::vector<std::int32_t> inputs;
  std::vector<Shape> in_shapes;
  Shape out;
  std::string name;  // "trunk.0"

 private:
  runtime::Graph& graph_;
  const State& state_;
};

}  // namespace cbnet
