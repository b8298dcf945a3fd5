#include "bench/peers/graph_nodes.h"

#include <algorithm>

#include "tensor/error.h"

namespace cbnet::peers {

using runtime::Graph;
using runtime::Kind;
using runtime::Node;

namespace {

bool is_common(const Graph& graph, const Node& node) {
  const Shape& in = value_shape(graph, node.inputs.front());
  switch (node.kind) {
    case Kind::conv2d:
    case Kind::avg_pool2d:
    case Kind::relu:
    case Kind::sigmoid:
      return true;
    case Kind::max_pool2d:
      return node.window.dilation == 1;
    case Kind::linear:
      return in.size() == 1;
    case Kind::reshape:
      return node.shape.size() == 1;
    case Kind::add:
      return node.inputs.size() == 2 && in == value_shape(graph, node.inputs.back());
    case Kind::concat:
      return node.axis == 0 && in.size() == 3;
    default:
      return is_rectifier(node);
  }
}

}  // namespace

std::string missing_counterpart(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    if (!is_common(graph, node))
      return concat("has no counterpart for ", node.name, ", ", to_string(node.kind), " to ", node.shape);
  }
  return {};
}

std::int64_t reader_count(const Graph& graph, std::int32_t v) {
  std::int64_t out = 0;
  for (const Node& node : graph.nodes) out += std::count(node.inputs.begin(), node.inputs.end(), v);
  return out;
}

bool is_rectifier(const Node& node) {
  return node.kind == Kind::relu || (node.kind == Kind::pointwise && node.function == Pointwise::clamp_max);
}

std::int32_t with_rectifiers(const Graph& graph, std::int32_t v) {
  const auto reads = [&](const Node& node) { return node.inputs.front() == v && is_rectifier(node); };
  for (;;) {
    const auto next = std::find_if(graph.nodes.begin(), graph.nodes.end(), reads);
    if (next == graph.nodes.end() || reader_count(graph, v) != 1) return v;
    v = static_cast<std::int32_t>(next - graph.nodes.begin()) + 1;
  }
}

bool is_global(const Graph& graph, const Node& pool) {
  const Shape& in = value_shape(graph, pool.inputs.front());
  return pool.window.kernel_size == Pair(in[1], in[2]) && pool.window.padding.is_none();
}

}  // namespace cbnet::peers
