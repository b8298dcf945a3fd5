#include "runtime/reduce.h"

#include <algorithm>
#include <optional>

#include "runtime/planner.h"
#include "runtime/quantize.h"
#include "tensor/error.h"

namespace cbnet::runtime {
namespace {

/// Tells whether value v is the pixels themselves.
bool is_pixels(const Graph& graph, std::int32_t v) {
  while (v > 0 && graph.nodes[static_cast<std::size_t>(v) - 1].kind == Kind::reshape)
    v = graph.nodes[static_cast<std::size_t>(v) - 1].inputs.front();
  return v == 0;
}

/// Tells whether a node cuts off or drops a part of what it reads.
bool is_cut(const Node& node) {
  return node.kind == Kind::relu || node.kind == Kind::max_pool2d ||
         (node.kind == Kind::pointwise &&
          (node.function == Pointwise::clamp_min || node.function == Pointwise::clamp_max));
}

class Reducer {
 public:
  Reducer(Graph& graph, const ReduceOptions& options)
      : graph_(graph), before_(graph), options_(options), on_bytes_(graph.nodes.size()) {}

  void run() {
    const auto is_large = [&](const Node& node) {
      return node.kind == Kind::linear && node.dense.in * node.dense.out >= options_.min_weights;
    };
    const bool any_large = std::any_of(graph_.nodes.begin(), graph_.nodes.end(), is_large);
    if (options_.precision == Precision::int8) reduce_convolutions();
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      Node& node = graph_.nodes[i];
      if (node.kind == Kind::conv2d && on_bytes_[i]) {
        say(concat(node.name, ": ", node.weight.shape(), " weights in int8"));
      } else if (node.kind == Kind::linear && (!any_large || is_large(node))) {
        node.dense = convert(node.dense, options_.precision);
        if (options_.precision == Precision::int8) node.input = range_of_input(node.inputs.front());
        say(concat(node.name, ": ", node.dense.out, " x ", node.dense.in, " weights in ",
                   to_string(options_.precision)));
      } else if (node_weight_bytes(node) > 0) {
        say(concat(node.name, ": ", to_string(node.kind), " stays fp32"));
      }
    }
  }

 private:
  void say(const std::string& text) const {
    if (options_.say) options_.say(text);
  }

  /// Rounds the weights of those convolutions that are faster on bytes here, and settles what the bytes
  /// between them stand for.
  void reduce_convolutions() {
    const auto is_conv = [](const Node& node) { return node.kind == Kind::conv2d; };
    if (std::none_of(graph_.nodes.begin(), graph_.nodes.end(), is_conv)) return;
    set_ranges();
    for (Node& node : graph_.nodes) {
      if (is_conv(node)) quantize_weights(node);
    }
    on_bytes_ = nodes_on_bytes(graph_, active_isa());
    const bool any = std::find(on_bytes_.begin(), on_bytes_.end(), true) != on_bytes_.end();
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      Node& node = graph_.nodes[i];
      if (!on_bytes_[i]) {
        node.weight = before_.nodes[i].weight;
        node.scales.clear();
      }
      if (!any) node.range.reset();
    }
  }

  /// Finds what bytes stand for, of every value of planes that a step may leave in memory.
  void set_ranges() {
    std::vector<std::vector<std::size_t>> readers(graph_.nodes.size() + 1);
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      for (const std::int32_t v : graph_.nodes[i].inputs) readers[static_cast<std::size_t>(v)].push_back(i);
    }
    for (std::size_t i = graph_.nodes.size(); i-- > 0;) {
      Node& node = graph_.nodes[i];
      if (node.shape.size() != 3) continue;
      const Node* const next = readers[i + 1].size() == 1 ? &graph_.nodes[readers[i + 1][0]] : nullptr;
      // Bytes are spent on what is left behind a ReLU, a bound or a pool alone, where nothing else reads it.
      const bool cut = next != nullptr && is_cut(*next) && next->range;
      node.range = cut ? next->range : sampled_range(static_cast<std::int32_t>(i) + 1);
    }
    // The largest byte of several is one of them.
    for (Node& node : graph_.nodes) {
      if (node.kind == Kind::max_pool2d) node.range = value_range(graph_, node.inputs.front());
    }
  }

  QuantParams range_of_input(std::int32_t v) const {
    const std::optional<QuantParams> range = value_range(graph_, v);
    return range ? *range : sampled_range(v);
  }

  QuantParams sampled_range(std::int32_t v) const {
    return is_pixels(before_, v) ? QuantParams{1.0F / 255.0F, 0} : options_.range(before_, v);
  }

  Graph& graph_;
  const Graph before_;
  const ReduceOptions& options_;
  std::vector<bool> on_bytes_;
};

}  // namespace

void reduce(Graph& graph, const ReduceOptions& options) {
  require(options.precision != Precision::fp32, "reduce", "expected int8 or bf16; got fp32");
  require(options.precision != Precision::int8 || options.range != nullptr, "reduce",
          "int8 needs to be told what bytes stand for");
  Reducer(graph, options).run();
}

Graph up_to(const Graph& graph, std::int32_t v) {
  Graph out;
  out.name = graph.name;
  out.input = graph.input;
  out.classifies = false;
  out.nodes.assign(graph.nodes.begin(), graph.nodes.begin() + v);
  return out;
}

}  // namespace cbnet::runtime
