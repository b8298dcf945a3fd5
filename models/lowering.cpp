#include "models/lowering.h"

#include "models/spec.h"

namespace cbnet {

void Lowering::append(const LayerSpecs& layers, std::size_t end, const std::string& prefix, Made& made) {
  for (std::size_t i = made.values.size() - 1; i < end; ++i) {
    Lowering layer(graph_, state_);
    layer.name = prefix + std::to_string(i);
    for (const std::int64_t position : inputs_of(layers[i], i)) {
      layer.inputs.push_back(made.values.at(static_cast<std::size_t>(position)));
      layer.in_shapes.push_back(made.shapes.at(static_cast<std::size_t>(position)));
    }
    layer.out = next_shape(layers[i], i, made.shapes, prefix);
    made.values.push_back(layers[i]->lower(layer));
    made.shapes.push_back(layer.out);
  }
}

std::int32_t Lowering::append(const LayerSpecs& layers, std::int32_t from, const Shape& input,
                              const std::string& prefix) {
  Made made{{from}, {input}};
  append(layers, layers.size(), prefix, made);
  return made.values.back();
}

Tensor Lowering::weight(const char* part) const {
  const auto found = state_.find(name + "." + part);
  return found == state_.end() ? Tensor() : found->second;
}

std::int32_t Lowering::push(runtime::Node node) {
  if (node.name.empty()) node.name = name;
  if (node.inputs.empty()) node.inputs = inputs;
  if (node.shape.empty()) node.shape = out;
  graph_.nodes.push_back(std::move(node));
  return static_cast<std::int32_t>(graph_.nodes.size());
}

std::int32_t Lowering::push(runtime::Kind kind, double value) {
  runtime::Node node;
  node.kind = kind;
  node.value = value;
  return push(std::move(node));
}

std::int32_t Lowering::push(Pointwise function, std::int32_t from, double a) {
  runtime::Node node;
  node.kind = runtime::Kind::pointwise;
  node.inputs = {from};
  node.function = function;
  node.value = a;
  return push(std::move(node));
}

void Lowering::refuse(const std::string& why) const {
  throw std::invalid_argument(concat("[compile] ", name, " has no form in the inference engine: ", why));
}

}  // namespace cbnet
