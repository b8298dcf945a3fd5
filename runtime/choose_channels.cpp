// This file decides which layers have the channels of a pixel side by side, and which have them in planes.
// Nodes that hand values to each other go together: into the layout in which their convolutions cost less.
#include <algorithm>
#include <cmath>

#include "runtime/planner.h"

namespace cbnet::runtime {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// Tells whether there are steps for this node in that layout.
bool can_channels(const Graph& graph, const kernels::KernelTable& table, const Node& node) {
  const auto shape = [&](std::int32_t v) -> const Shape& { return value_shape(graph, v); };
  if (node.shape.size() != 3 || shape(node.inputs[0]).size() != 3) return false;
  const auto is_pixel = [&](std::int32_t v) { return shape(v) == Shape{node.shape[0], 1, 1}; };
  switch (node.kind) {
    case Kind::conv2d:
      return std::isfinite(channels_cost(table, node, shape(node.inputs[0])));
    case Kind::max_pool2d:
      return node.window.dilation == 1;
    case Kind::avg_pool2d:
      return node.window.padding.is_symmetric();
    case Kind::add:
    case Kind::mul:
      return node.inputs.size() == 2 &&
             std::all_of(node.inputs.begin(), node.inputs.end(),
                         [&](std::int32_t v) { return shape(v) == node.shape || is_pixel(v); }) &&
             std::any_of(node.inputs.begin(), node.inputs.end(),
                         [&](std::int32_t v) { return shape(v) == node.shape; });
    case Kind::concat:
      return node.axis == 0;
    default:
      return is_by_number(node.kind);
  }
}

/// Returns the cost in planes, in units of an FMA of vectors.
double planes_cost(const Graph& graph, const kernels::KernelTable& table, const Readers& all_readers,
                   std::size_t i) {
  const Node& node = graph.nodes[i];
  const std::vector<std::size_t>& readers = all_readers[i + 1];
  const Node* pool = readers.size() == 1 ? &graph.nodes[readers[0]] : nullptr;
  // In networks like AlexNet and ResNet, a direct convolution took this part of what it is counted at, beside
  // one of channels.
  constexpr double kRelativeCost = 0.85;
  if (is_direct(node))
    return kRelativeCost * direct_cost(table, node, value_shape(graph, node.inputs[0]), pool);
  // im2col and a product: the columns are written and read again, and a group has few outputs.
  const auto macs = static_cast<double>(node_macs(graph, node));
  const std::int64_t group_outputs = node.shape[0] / node.groups;
  const auto outputs = static_cast<double>(group_outputs);
  return macs / static_cast<double>(table.conv.lanes) * 1.5 + 2 * macs / outputs;
}

/// Returns the layout of value v, f32 or bytes of `range`: its border is as wide as the widest that a
/// convolution reads. What comes from the caller with few channels has no gaps between its pixels where only
/// convolutions read it, or what maps byte by byte: the rows of a window are runs then.
Layout layout_of(const Graph& graph, std::int64_t lanes, const ChannelsChoice& choice, const Readers& readers,
                 std::int32_t v, bool bytes) {
  const Shape& shape = value_shape(graph, v);
  Layout layout = bytes ? bytes_layout(shape, *value_range(graph, v)) : channels_layout(shape, lanes);
  const auto maps = [&](std::size_t i) { return bytes && is_by_number(graph.nodes[i].kind); };
  bool tight = layout.c < (bytes ? layout.pitch : lanes) && (v == 0 || maps(at(v) - 1));
  for (const std::size_t i : readers[at(v)]) {
    const Node& node = graph.nodes[i];
    if (!choice.nodes[i] || choice.int8[i] != bytes) continue;
    if (node.kind == Kind::conv2d) add_border(layout, node);
    tight = tight && (takes_addend(node) || maps(i));
  }
  for (const std::size_t i : readers[at(v)]) tight = tight && choice.nodes[i];
  if (tight) layout.pitch = layout.c;
  return layout;
}

/// Tells whether an image of this layout fits an arena, and its offsets 32 bits.
bool fits(const Layout& layout) {
  const double rows = static_cast<double>(layout.h) + 2 * static_cast<double>(layout.pad_h);
  return static_cast<double>(layout.element_bytes()) * (rows + 1) * static_cast<double>(layout.row()) *
             static_cast<double>(layout.pitch) <
         static_cast<double>(kMaxArenaBytes);
}

/// What is gained, for nodes that hand values to each other, beside planes.
struct Gain {
  double channels = 0, bytes = 0;
};

/// Chooses for each node.
void choose_cheaper(const Graph& graph, const kernels::KernelTable& table, const Readers& readers,
                    ChannelsChoice& out) {
  const auto shape = [&](std::int32_t v) -> const Shape& { return value_shape(graph, v); };
  std::vector<bool>&channels = out.nodes, &bytes = out.int8;
  std::vector<bool> in_f32(graph.nodes.size());
  std::vector<std::int32_t> leader(readers.size());  // by value, of those that go together
  for (std::size_t v = 0; v < leader.size(); ++v) leader[v] = static_cast<std::int32_t>(v);
  const auto find = [&](std::int32_t v) {
    while (leader[at(v)] != v) v = leader[at(v)] = leader[at(leader[at(v)])];
    return v;
  };
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    in_f32[i] = can_channels(graph, table, node);
    bytes[i] =
        (in_f32[i] || (node.inputs.size() == 1 && node.weight.defined())) && can_bytes(graph, table, node);
    channels[i] = in_f32[i] || bytes[i];
    if (!channels[i]) continue;
    for (const std::int32_t v : graph.nodes[i].inputs)
      leader[at(find(v))] = find(static_cast<std::int32_t>(i) + 1);
  }
  std::vector<Gain> gains(readers.size());
  const auto gain = [&](std::int32_t v) -> Gain& { return gains[at(find(v))]; };
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (!channels[i] || node.kind != Kind::conv2d) continue;
    Gain& of = gain(static_cast<std::int32_t>(i) + 1);
    const Shape& input = shape(node.inputs[0]);
    const double planes = planes_cost(graph, table, readers, i),
                 f32 = planes - channels_cost(table, node, input);
    const bool tight = node.inputs[0] == 0 && takes_addend(node);
    of.channels += f32;
    of.bytes += bytes[i] ? planes - bytes_cost(table, node, input, tight) : f32;
  }
  // What comes from or goes to other layers is brought to their layout, a number at a time; bytes become f32,
  // and f32 bytes, by the vector.
  for (std::int32_t v = 0; at(v) < readers.size(); ++v) {
    if (shape(v).size() != 3) continue;
    bool here = v > 0 && channels[at(v) - 1], elsewhere = !here;
    bool as_bytes = v > 0 && bytes[at(v) - 1], as_f32 = v > 0 && !as_bytes;
    for (const std::size_t i : readers[at(v)]) {
      (channels[i] ? here : elsewhere) = true;
      if (channels[i]) (bytes[i] ? as_bytes : as_f32) = true;
    }
    const auto size = static_cast<double>(numel(shape(v)));
    const double moved = here && (elsewhere || readers[at(v)].empty()) ? 1.5 * size : 0.0;
    gain(v).channels -= moved;
    gain(v).bytes -= moved + (as_bytes && as_f32 ? 0.3 * size : 0.0);
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Gain& of = gain(static_cast<std::int32_t>(i) + 1);
    bytes[i] = bytes[i] && of.bytes > std::max(of.channels, 0.0);
    channels[i] = bytes[i] || (in_f32[i] && std::max(of.channels, of.bytes) > 0);
  }
}

}  // namespace

ChannelsChoice choose_channels(const Graph& graph, const kernels::KernelTable& table,
                               const Readers& readers) {
  ChannelsChoice out(graph);
  choose_cheaper(graph, table, readers, out);
  for (std::int32_t v = 0; at(v) < readers.size(); ++v) {
    bool used = v > 0 && out.nodes[at(v) - 1], bytes = v > 0 && out.int8[at(v) - 1];
    for (const std::size_t i : readers[at(v)]) {
      used = used || out.nodes[i];
      bytes = bytes || out.int8[i];
    }
    if (!used) continue;
    out.layouts[at(v)] = layout_of(graph, table.conv.lanes, out, readers, v, false);
    if (bytes && value_range(graph, v))
      out.bytes[at(v)] = layout_of(graph, table.conv.lanes, out, readers, v, true);
    if (!fits(out.layouts[at(v)])) return ChannelsChoice(graph);
  }
  return out;
}

}  // namespace cbnet::runtime
