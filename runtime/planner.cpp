// Nodes become steps in three passes: which nodes become one step (fuse), how each value best lies in memory
// (choose_layouts), and the steps, with the conversions that are missing between them (emit). Where the
// buffers lie in the arena is arena.cpp's.
#include "runtime/planner.h"

#include <algorithm>

#include "tensor/cpu/kernels/split.h"

namespace cbnet::runtime {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// These nodes become one step: the first makes sums, which the others finish. Up to an exit, `segment`.
struct Fused {
  std::vector<const Node*> nodes;
  std::int32_t made = 0;  // the value of the last
  std::size_t segment = 0;
  ConvTail tail;             // of a convolution of planes
  ChannelsTail bounds;       // of one of channels side by side
  std::int32_t addend = -1;  // the value that such a convolution adds, if any
};

bool is_windowed(Kind kind) {
  return kind == Kind::conv2d || kind == Kind::max_pool2d || kind == Kind::avg_pool2d;
}

class Planner {
 public:
  Planner(const Graph& graph, Isa isa)
      : graph_(graph),
        isa_(isa),
        table_(kernels::kernel_table(isa)),
        exits_(graph.exits),
        readers_(graph.nodes.size() + 1),
        is_exit_(graph.nodes.size() + 1),
        by_winograd_(graph.nodes.size()),
        choice_(graph),
        ready_(graph.nodes.size() + 1),
        buffers_(graph.nodes.size() + 1) {
    exits_.push_back({static_cast<std::int32_t>(graph.nodes.size()), 0.0});
    for (const Exit& exit : exits_) is_exit_[at(exit.logits)] = true;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      for (const std::int32_t v : graph.nodes[i].inputs) readers_[at(v)].push_back(i);
    }
    for (std::int32_t v = 0; at(v) < readers_.size(); ++v) {
      const bool reshape = v > 0 && graph.nodes[at(v) - 1].kind == Kind::reshape;
      source_.push_back(reshape ? source_[at(graph.nodes[at(v) - 1].inputs.front())] : v);
    }
    ready_[0] = true;
    check_sizes();
  }

  /// Returns the schedule; without `by_channels`, all images lie in planes.
  Schedule run(bool by_channels) {
    choice_ = by_channels ? choose_channels(graph_, table_, readers_) : ChannelsChoice(graph_);
    check_planes();
    fuse();
    choose_layouts();
    std::size_t next = 0;
    for (std::size_t s = 0; s < exits_.size(); ++s) {
      Segment segment;
      segment.begin = out_.steps.size();
      for (; next < fused_.size() && fused_[next].segment == s; ++next) emit(fused_[next]);
      out_.output = in_layout(exits_[s].logits, Layout{});
      segment.end = out_.steps.size();
      segment.threshold = exits_[s].threshold;
      if (graph_.classifies) segment.logits = out_.output;
      out_.segments.push_back(segment);
    }
    place_buffers(out_);
    return std::move(out_);
  }

 private:
  const Shape& shape(std::int32_t v) const { return value_shape(graph_, v); }
  const Layout& layout_of(int buffer) const { return out_.buffers[at(buffer)].layout; }
  Operand operand(int buffer) const { return {buffer, layout_of(buffer)}; }

  static void check_bytes(std::int64_t bytes) {
    require(bytes <= kMaxArenaBytes, "plan", "an image needs an arena of at least ", bytes,
            " bytes; at most ", kMaxArenaBytes, " are given");
  }

  /// This comes before anything is allocated: a step reads all its values and writes another.
  void check_sizes() const {
    for (const Node& node : graph_.nodes) {
      std::int64_t elements = node.kind == Kind::reshape ? 0 : numel(node.shape);
      for (const std::int32_t v : node.inputs) elements += numel(shape(v));
      check_bytes(elements);  // as bytes
      if (node.kind == Kind::reshape) continue;
      if (node.kind != Kind::linear) check_bytes(4 * elements);
    }
  }

  /// Convolutions of planes have zeros around their input, or its windows in columns.
  void check_planes() const {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (choice_.nodes[i]) continue;
      if (is_direct(node)) {
        const Layout planes = conv_layout(node, shape(node.inputs[0]));
        check_bytes(4 * (planes.c * planes.plane() + numel(node.shape)));
      } else if (node.kind == Kind::conv2d) {
        const std::int64_t windows = node.window.kernel_size.h * node.window.kernel_size.w;
        const std::int64_t taps = shape(node.inputs[0])[0] / node.groups * windows;
        const std::int64_t pixels = node.shape[1] * node.shape[2];
        check_bytes(taps <= kMaxArenaBytes / pixels ? 4 * taps * pixels : kMaxArenaBytes + 1);
      }
    }
  }

  // ---- which nodes become one step

  void fuse() {
    std::vector<bool> taken(graph_.nodes.size());
    std::size_t i = 0;
    for (std::size_t segment = 0; segment < exits_.size(); ++segment) {
      const std::size_t end = at(exits_[segment].logits);
      for (; i < end; ++i) {
        if (graph_.nodes[i].kind == Kind::reshape) ready_[i + 1] = ready_[at(source_[i + 1])];
        if (taken[i] || graph_.nodes[i].kind == Kind::reshape) continue;
        Fused fused;
        fused.nodes = {&graph_.nodes[i]};
        fused.made = static_cast<std::int32_t>(i) + 1;
        fused.segment = segment;
        // Finds the node of that kind which alone reads what is made so far, before the exit.
        const auto take = [&](Kind kind, auto fits) {
          const std::vector<std::size_t>& readers = readers_[at(fused.made)];
          if (readers.size() != 1 || is_exit_[at(fused.made)] || readers[0] >= end) return false;
          const Node& next = graph_.nodes[readers[0]];
          if (next.kind != kind || !fits(next)) return false;
          fused.nodes.push_back(&next);
          fused.made = static_cast<std::int32_t>(readers[0]) + 1;
          taken[readers[0]] = true;
          return true;
        };
        const auto any = [](const Node&) { return true; };
        if (choice_.nodes[i]) {
          fuse_channels(fused, take);
        } else if (is_direct(graph_.nodes[i])) {
          fuse_conv(fused, take(Kind::max_pool2d, is_direct_pool));
          fused.tail.relu = take(Kind::relu, any);
          by_winograd_[i] = fused.tail.winograd;
        } else if (graph_.nodes[i].kind == Kind::linear) {
          static_cast<void>(take(Kind::relu, any) || take(Kind::leaky_relu, any) ||
                            take(Kind::sigmoid, any) || take(Kind::tanh, any));
        }
        ready_[at(fused.made)] = true;
        fused_.push_back(std::move(fused));
      }
    }
  }

  /// Takes an addend that is made before, then the bounds that ReLU and its like set.
  template <class Take>
  void fuse_channels(Fused& fused, Take take) const {
    const Node& conv = *fused.nodes.front();
    if (!is_windowed(conv.kind)) return;
    const auto other = [product = fused.made](const Node& sum) {
      return sum.inputs[sum.inputs[0] == product ? 1 : 0];
    };
    const bool int8 = choice_.int8[at_node(conv)];
    const auto is_ready_sum = [&](const Node& sum) {
      return sum.inputs.size() == 2 && sum.inputs[0] != sum.inputs[1] && shape(other(sum)) == conv.shape &&
             ready_[at(other(sum))] && (!int8 || choice_.bytes[at(other(sum))].is_bytes());
    };
    if (takes_addend(conv) && take(Kind::add, is_ready_sum)) fused.addend = other(*fused.nodes.back());
    // The largest byte of several is one of them: nothing brings it to another scale.
    const auto fits = [&](const Node& node) {
      return !int8 || conv.kind == Kind::conv2d ||
             (choice_.int8[at_node(node)] &&
              bytes_layout(conv.shape, *node.range) == bytes_layout(conv.shape, *conv.range));
    };
    const auto is = [&](Pointwise function) {
      return [fits, function](const Node& node) { return node.function == function && fits(node); };
    };
    if (take(Kind::relu, fits)) {
      fused.bounds.low = 0.0F;
    } else if (take(Kind::pointwise, is(Pointwise::clamp_min))) {
      fused.bounds.low = static_cast<float>(fused.nodes.back()->value);
    }
    if (take(Kind::pointwise, is(Pointwise::clamp_max)))
      fused.bounds.high = static_cast<float>(fused.nodes.back()->value);
  }

  void fuse_conv(Fused& fused, bool pools) const {
    if (!pools) return;
    const Node &conv = *fused.nodes[0], &pool = *fused.nodes[1];
    fused.tail.pool = true;
    fused.tail.ph = pool.shape[1];
    fused.tail.pw = pool.shape[2];
    fused.tail.winograd = is_winograd(table_, conv, shape(conv.inputs.front()), &pool);
  }

  // ---- how values lie

  /// Returns the layout that the first reader of a value, through reshapes, would have; bytes only if all
  /// readers would.
  void choose_layouts() {
    requested_.resize(readers_.size());
    for (std::size_t v = readers_.size(); v-- > 0;) {
      const std::vector<std::size_t>& readers = readers_[v];
      if (is_exit_[v] || readers.empty()) continue;
      const auto by = [&](std::size_t i) { return requested_by(i, static_cast<std::int32_t>(v)); };
      const Layout first = by(readers[0]);
      const bool agreed = !first.is_bytes() || std::all_of(readers.begin(), readers.end(),
                                                           [&](std::size_t i) { return by(i) == first; });
      if (agreed) requested_[v] = first;
    }
  }

  /// Returns the layout in which node i would have value v.
  Layout requested_by(std::size_t i, std::int32_t v) const {
    const Node& node = graph_.nodes[i];
    if (choice_.nodes[i]) return choice_.of(i, v);
    if (node.kind == Kind::reshape) {
      // Through a reshape only a byte is a byte: planes have other sizes on its other side.
      const Layout& layout = requested_[i + 1];
      return layout.type == Layout::Type::u8 ? layout : Layout{};
    }
    if (is_direct(node)) return by_winograd_[i] ? Layout{} : conv_layout(node, shape(v));
    return node.kind == Kind::linear ? input_layout(node) : Layout{};
  }

  /// Int8 layers read bytes; how they are to be understood was settled by calibration.
  static Layout input_layout(const Node& linear) {
    Layout layout;
    if (linear.dense.precision != Precision::int8) return layout;
    layout.type = Layout::Type::u8;
    layout.scale = linear.input.scale;
    layout.zero_point = linear.input.zero_point;
    return layout;
  }

  // ---- steps

  int new_buffer(std::int32_t v, const Layout& layout) {
    Buffer buffer;
    buffer.layout = layout;
    buffer.size = numel(shape(v));
    // An image has whole cache lines, but for rows of a matrix product: those may be read as one run.
    const bool is_row = layout.type == Layout::Type::dense || layout.type == Layout::Type::u8;
    const std::int64_t slack = layout.is_bytes() ? kernels::kByteSlack : 0;
    buffer.pitch =
        is_row ? buffer.size : kernels::round_up(layout.image() + slack, layout.is_bytes() ? 64 : 16);
    out_.buffers.push_back(buffer);
    buffers_[at(source_[at(v)])].push_back(static_cast<int>(out_.buffers.size()) - 1);
    return buffers_[at(source_[at(v)])].back();
  }

  /// Returns the buffer in which value v lies in this layout; a step that brings it there is added where
  /// there is none.
  int in_layout(std::int32_t v, const Layout& layout) {
    v = source_[at(v)];  // reshapes change nothing in memory
    const std::vector<int>& found = buffers_[at(v)];
    for (const int id : found) {
      if (layout_of(id) == layout) return id;
    }
    // Bytes of the input are enough where all its readers ask for them; else they are made from the dense
    // layout.
    if (v == 0 && found.empty() && (!layout.is_bytes() || requested_[0] == layout)) {
      const int to = new_buffer(0, layout);
      out_.steps.push_back(make_input_step(table_, numel(graph_.input), {to, layout}));
      return to;
    }
    // Planes of one shape are no planes of another, nor bytes: then they go by way of the dense layout.
    const auto near =
        std::find_if(found.begin(), found.end(), [&](int id) { return can_copy(layout_of(id), layout); });
    const int from = near == found.end() ? in_layout(v, Layout{}) : *near;
    const int to = new_buffer(v, layout);
    out_.steps.push_back(make_layout_step(table_, numel(shape(v)), operand(from), operand(to)));
    out_.steps.back()->name = "copy";
    return to;
  }

  /// Does the same for a reader of planes in whichever f32 layout they are.
  int in_any_layout(std::int32_t v, const Layout& planes) {
    for (const int id : buffers_[at(source_[at(v)])]) {
      if (layout_of(id).type == Layout::Type::dense || layout_of(id).same_planes(planes)) return id;
    }
    return in_layout(v, Layout{});
  }

  std::size_t at_node(const Node& node) const {
    return static_cast<std::size_t>(&node - graph_.nodes.data());
  }

  /// Tells whether someone reads the bytes of value v, perhaps as rows.
  bool reads_bytes(std::int32_t v) const {
    const Layout& bytes = choice_.bytes[at(v)];
    return bytes.is_bytes() &&
           std::any_of(readers_[at(v)].begin(), readers_[at(v)].end(), [&](std::size_t i) {
             const Layout layout = requested_by(i, v);
             return layout.is_bytes() && layout.scale == bytes.scale && layout.zero_point == bytes.zero_point;
           });
  }

  StepPtr channels_step(const Fused& fused) {
    const Node& node = *fused.nodes.front();
    const std::size_t i = at_node(node);
    std::vector<Operand> from;
    for (const std::int32_t v : node.inputs) from.push_back(operand(in_layout(v, choice_.of(i, v))));
    if (fused.addend >= 0) from.push_back(operand(in_layout(fused.addend, choice_.of(i, fused.addend))));
    const bool bytes = choice_.int8[i] && (node.kind != Kind::conv2d || reads_bytes(fused.made));
    const Operand to =
        operand(new_buffer(fused.made, (bytes ? choice_.bytes : choice_.layouts)[at(fused.made)]));
    if (choice_.int8[i]) return make_bytes_step(table_, graph_, node, fused.bounds, from, to);
    return is_windowed(node.kind) ? make_channels_step(table_, node, fused.bounds, from, to)
                                  : make_pixels_step(isa_, graph_, node, from, to);
  }

  void emit(const Fused& fused) {
    const Node& node = *fused.nodes.front();
    const std::int32_t input = node.inputs.front();
    const Layout& requested = requested_[at(fused.made)];
    const bool bytes = requested.type == Layout::Type::u8;
    StepPtr step;
    if (choice_.nodes[at_node(node)]) {
      step = channels_step(fused);
    } else if (is_direct(node)) {
      const Layout planes = conv_layout(node, shape(input));
      const int from = fused.tail.winograd ? in_any_layout(input, planes) : in_layout(input, planes);
      const int to = new_buffer(fused.made, requested.type == Layout::Type::padded ? requested : Layout{});
      step = make_conv_step(table_, {node, shape(input), fused.tail}, operand(from), operand(to));
    } else if (node.kind == Kind::linear) {
      const int from = in_layout(input, input_layout(node));
      const int to = new_buffer(fused.made, bytes ? requested : Layout{});
      const Node* then = fused.nodes.size() > 1 ? fused.nodes[1] : nullptr;
      step = make_linear_step(isa_, node, then, operand(from), operand(to));
      step->int8 = node.dense.precision == Precision::int8;
    } else {
      std::vector<int> from;
      for (const std::int32_t v : node.inputs) from.push_back(in_layout(v, Layout{}));
      const int to = new_buffer(fused.made, Layout{});
      const bool whole_softmax = node.kind == Kind::softmax && node.shape.size() == 1;
      step = whole_softmax ? make_softmax_step(isa_, numel(node.shape), from[0], to)
                           : make_plain_step(isa_, graph_, node, from, to);
    }
    for (const Node* part : fused.nodes) {
      step->name += (step->name.empty() ? "" : ", ") + part->name + " " + to_string(part->kind);
      step->macs += node_macs(graph_, *part);
      step->weight_bytes += node_weight_bytes(*part);
    }
    out_.steps.push_back(std::move(step));
  }

  const Graph& graph_;
  Isa isa_;
  const kernels::KernelTable& table_;
  std::vector<Exit> exits_;  // the last value behind the side exits
  // These are by value: the nodes that read it, whether it is an exit's logits, the value whose memory it is,
  // the layout in which it is best made. By node: whether winograd.h does it. By value again: where it lies.
  Readers readers_;
  std::vector<bool> is_exit_;
  std::vector<std::int32_t> source_;
  std::vector<Layout> requested_;
  std::vector<bool> by_winograd_;
  ChannelsChoice choice_;
  std::vector<bool> ready_;  // by value: a step that is there makes it
  std::vector<std::vector<int>> buffers_;
  std::vector<Fused> fused_;
  Schedule out_;
};

}  // namespace

std::vector<bool> nodes_on_bytes(const Graph& graph, Isa isa) {
  Readers readers(graph.nodes.size() + 1);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const std::int32_t v : graph.nodes[i].inputs) readers[at(v)].push_back(i);
  }
  return choose_channels(graph, kernels::kernel_table(isa), readers).int8;
}

Schedule make_schedule(const Graph& graph, Isa isa) {
  Schedule out = Planner(graph, isa).run(true);
  // Channels are rounded up to vectors: where that is too much, planes may still do.
  if (!fits_arena(out)) out = Planner(graph, isa).run(false);
  require(fits_arena(out), "plan", "an arena of ", out.arena_bytes, " bytes and ", out.scratch_bytes,
          " of scratch are needed; at most ", kMaxArenaBytes, " are given");
  return out;
}

}  // namespace cbnet::runtime
