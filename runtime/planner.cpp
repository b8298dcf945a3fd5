// Which layers become one step, in which forms values lie, and where.
#include "runtime/planner.h"

#include <algorithm>
#include <map>

namespace cbnet::runtime {
namespace {

constexpr std::size_t kAlign = 64;
/// The arena of a tile should stay in the L2 beside the weights of a layer.
constexpr std::int64_t kTileBytes = 384 * 1024;
constexpr std::int64_t kLeastTile = 16, kMostTile = 128;
/// Of images so large that kLeastTile of them exceed this, fewer go together, down to one.
constexpr std::int64_t kMostTileBytes = std::int64_t{64} << 20;
/// Of a plan's arena for one thread, scratch included.
constexpr std::int64_t kMostArenaBytes = std::int64_t{256} << 20;

std::size_t aligned(std::size_t size) { return (size + kAlign - 1) / kAlign * kAlign; }

class Planner {
 public:
  Planner(const Graph& graph, Isa isa)
      : graph_(graph), isa_(isa), table_(kernels::kernel_table(isa)), readers_(graph.nodes.size() + 1) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      for (const std::int32_t v : graph.nodes[i].inputs) readers_[static_cast<std::size_t>(v)].push_back(i);
    }
    exits_ = graph.exits;
    exits_.push_back({static_cast<std::int32_t>(graph.nodes.size()), 0.0});
    check_sizes();
    const std::size_t values = graph.nodes.size() + 1;
    is_exit_.resize(values);
    for (const Exit& exit : exits_) is_exit_[static_cast<std::size_t>(exit.logits)] = true;
    for (std::size_t v = 0; v < values; ++v) {
      const bool reshape = v > 0 && graph.nodes[v - 1].kind == Kind::reshape;
      const std::int32_t from = reshape ? graph.nodes[v - 1].inputs.front() : 0;
      source_.push_back(reshape ? source_[static_cast<std::size_t>(from)] : static_cast<std::int32_t>(v));
    }
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) by_winograd_.push_back(is_by_winograd(i));
    wanted_.resize(values);
    for (std::size_t v = values; v-- > 0;) wanted_[v] = find_wanted(static_cast<std::int32_t>(v));
  }

  Schedule run() {
    std::size_t done = 0;
    for (const Exit& exit : exits_) {
      Segment segment;
      segment.begin = out_.steps.size();
      const auto end = static_cast<std::size_t>(exit.logits);
      while (done < end) done = add(done, end);
      const int made = in_form(exit.logits, Form{}, numel(value_shape(graph_, exit.logits)));
      segment.end = out_.steps.size();
      segment.threshold = exit.threshold;
      if (graph_.classifies) segment.logits = made;
      out_.output = made;
      out_.segments.push_back(segment);
    }
    find_lifetimes();
    place();
    return std::move(out_);
  }

 private:
  const std::vector<std::size_t>& readers(std::int32_t v) const {
    return readers_[static_cast<std::size_t>(v)];
  }

  bool is_exit(std::int32_t v) const { return is_exit_[static_cast<std::size_t>(v)]; }

  static void check_bytes(std::int64_t bytes) {
    require(bytes <= kMostArenaBytes, "plan", "an image needs an arena of at least ", bytes,
            " bytes; at most ", kMostArenaBytes, " are given");
  }

  /// Before anything is allocated: a step reads all its values and writes another.
  void check_sizes() const {
    for (const Node& node : graph_.nodes) {
      std::int64_t elements = node.kind == Kind::reshape ? 0 : numel(node.shape);
      for (const std::int32_t v : node.inputs) elements += numel(value_shape(graph_, v));
      check_bytes(elements);  // as bytes
      if (node.kind == Kind::reshape) continue;
      if (node.kind != Kind::linear) check_bytes(4 * elements);
      if (is_direct(node)) {
        const Form planes = conv_form(node, value_shape(graph_, node.inputs[0]));
        check_bytes(4 * (planes.c * planes.plane() + numel(node.shape)));
      }
      const std::int64_t windows = node.window.kernel_size.h * node.window.kernel_size.w;
      if (node.kind == Kind::conv2d && !is_direct(node)) {
        const std::int64_t taps = value_shape(graph_, node.inputs[0])[0] / node.groups * windows;
        const std::int64_t pixels = node.shape[1] * node.shape[2];
        check_bytes(taps <= kMostArenaBytes / pixels ? 4 * taps * pixels : kMostArenaBytes + 1);
      }
    }
  }

  /// The node that alone reads value v, if it stands before `end` and is of that kind; else null.
  const Node* only_reader(std::int32_t v, Kind kind, std::size_t end) const {
    if (readers(v).size() != 1 || is_exit(v) || readers(v)[0] >= end) return nullptr;
    const Node& node = graph_.nodes[readers(v)[0]];
    return node.kind == kind ? &node : nullptr;
  }

  // ---- forms

  int new_buffer(std::int32_t value, const Form& form, std::int64_t size) {
    Buffer buffer;
    buffer.form = form;
    buffer.size = size;
    const std::int64_t elements = form.type == Form::Type::padded ? form.c * form.plane() : size;
    // Whole cache lines an image, but for rows of a matrix product: those may be read as one run.
    buffer.pitch = form.type == Form::Type::padded ? (elements + 15) / 16 * 16 : elements;
    out_.buffers.push_back(buffer);
    const int id = static_cast<int>(out_.buffers.size()) - 1;
    forms_[value].push_back(id);
    return id;
  }

  /// The buffer in which value v lies in this form; a step that brings it there is added where there is none.
  int in_form(std::int32_t v, const Form& form, std::int64_t size) {
    v = source(v);
    for (const int id : forms_[v]) {
      if (out_.buffers[static_cast<std::size_t>(id)].form == form) return id;
    }
    // Bytes of the input are enough where all its readers want them; else they are made from the dense form.
    const bool bytes = form.type == Form::Type::u8;
    if (v == 0 && forms_[v].empty() && (!bytes || wanted(0) == form)) {
      const int to = new_buffer(0, form, size);
      push(make_input_step(table_, size, form, to));
      return to;
    }
    // Planes of one shape are no planes of another, nor bytes: then by way of the dense form.
    const Form* found =
        forms_[v].empty() ? nullptr : &out_.buffers[static_cast<std::size_t>(forms_[v].front())].form;
    const bool by_dense =
        form.type != Form::Type::dense &&
        (found == nullptr || (found->type != Form::Type::dense && !found->same_planes(form)));
    const int from = by_dense ? in_form(v, Form{}, size) : forms_[v].front();
    const int to = new_buffer(v, form, size);
    push(make_form_step(table_, size, from, out_.buffers[static_cast<std::size_t>(from)].form, to, form));
    out_.steps.back()->name = "copy";
    return to;
  }

  /// The same for a reader of planes in whichever f32 form they are.
  int in_any_form(std::int32_t v, const Form& planes, std::int64_t size) {
    for (const int id : forms_[source(v)]) {
      const Form& form = out_.buffers[static_cast<std::size_t>(id)].form;
      if (form.type == Form::Type::dense || form.same_planes(planes)) return id;
    }
    return in_form(v, Form{}, size);
  }

  /// Reshapes change nothing in memory.
  std::int32_t source(std::int32_t v) const { return source_[static_cast<std::size_t>(v)]; }

  /// The form in which value v is best made: as its first reader, through reshapes, would have it; bytes only
  /// if all of them would.
  const Form& wanted(std::int32_t v) const { return wanted_[static_cast<std::size_t>(v)]; }

  /// From those of later values.
  Form find_wanted(std::int32_t v) const {
    if (is_exit(v) || readers(v).empty()) return Form{};
    const Form first = wanted_by(readers(v)[0], v);
    const bool agreed =
        first.type != Form::Type::u8 || std::all_of(readers(v).begin(), readers(v).end(),
                                                    [&](std::size_t i) { return wanted_by(i, v) == first; });
    return agreed ? first : Form{};
  }

  /// The form in which node i would have value v.
  Form wanted_by(std::size_t i, std::int32_t v) const {
    const Node& node = graph_.nodes[i];
    if (node.kind == Kind::reshape) {
      const Form form = wanted(static_cast<std::int32_t>(i) + 1);
      // Through a reshape only a byte is a byte: planes have other sizes on its other side.
      return form.type == Form::Type::u8 ? form : Form{};
    }
    if (is_direct(node)) return by_winograd(i) ? Form{} : conv_form(node, value_shape(graph_, v));
    return node.kind == Kind::linear ? input_form(node) : Form{};
  }

  bool by_winograd(std::size_t i) const { return by_winograd_[i]; }

  bool is_by_winograd(std::size_t i) const {
    const Node& node = graph_.nodes[i];
    if (!is_direct(node)) return false;
    const Node* pool = only_reader(static_cast<std::int32_t>(i) + 1, Kind::max_pool2d, graph_.nodes.size());
    return is_winograd(table_, node, value_shape(graph_, node.inputs.front()), pool);
  }

  /// Int8 layers read bytes; how they are to be understood was settled by calibration.
  Form input_form(const Node& linear) const {
    if (linear.dense.precision != Precision::int8) return Form{};
    Form form;
    form.type = Form::Type::u8;
    form.scale = linear.input.scale;
    form.zero_point = linear.input.zero_point;
    return form;
  }

  // ---- steps

  void push(StepPtr step) { out_.steps.push_back(std::move(step)); }

  void describe(const std::vector<const Node*>& nodes) {
    Step& step = *out_.steps.back();
    for (const Node* node : nodes) {
      step.name += (step.name.empty() ? "" : ", ") + node->name + " " + to_string(node->kind);
      step.macs += node_macs(graph_, *node);
      step.weight_bytes += node_weight_bytes(*node);
      if (node->kind == Kind::linear) step.int8 = node->dense.precision == Precision::int8;
    }
  }

  /// Adds the step that begins with node i; returns the first node that is not part of it.
  std::size_t add(std::size_t i, std::size_t end) {
    const Node& node = graph_.nodes[i];
    if (done_.size() < graph_.nodes.size()) done_.resize(graph_.nodes.size(), false);
    if (done_[i] || node.kind == Kind::reshape) return i + 1;
    if (is_direct(node)) {
      add_conv(i, end);
    } else if (node.kind == Kind::linear) {
      add_linear(i, end);
    } else {
      add_plain(i);
    }
    return i + 1;
  }

  void add_conv(std::size_t i, std::size_t end) {
    const Node& node = graph_.nodes[i];
    auto made = static_cast<std::int32_t>(i) + 1;
    std::vector<const Node*> nodes = {&node};
    const auto take = [&](const Node* next) {
      if (next == nullptr) return false;
      made = static_cast<std::int32_t>(next - graph_.nodes.data()) + 1;
      done_[static_cast<std::size_t>(made) - 1] = true;
      nodes.push_back(next);
      return true;
    };
    ConvTail tail;
    const Node* pool = only_reader(made, Kind::max_pool2d, end);
    if (pool != nullptr && is_direct_pool(*pool) && take(pool)) {
      tail.pool = true;
      tail.ph = pool->shape[1];
      tail.pw = pool->shape[2];
    }
    tail.relu = take(only_reader(made, Kind::relu, end));
    const Shape& input = value_shape(graph_, node.inputs.front());
    tail.winograd = tail.pool && by_winograd(i);
    const Form planes = conv_form(node, input);
    const int from = tail.winograd ? in_any_form(node.inputs.front(), planes, numel(input))
                                   : in_form(node.inputs.front(), planes, numel(input));
    const Form from_form = out_.buffers[static_cast<std::size_t>(from)].form;
    const Form to_form = wanted(made).type == Form::Type::u8 ? Form{} : wanted(made);
    const int to = new_buffer(made, to_form, numel(value_shape(graph_, made)));
    push(make_conv_step(table_, node, input, tail, from, from_form, to, to_form));
    describe(nodes);
    out_.steps.back()->winograd = tail.winograd;
  }

  void add_linear(std::size_t i, std::size_t end) {
    const Node& node = graph_.nodes[i];
    auto made = static_cast<std::int32_t>(i) + 1;
    std::vector<const Node*> nodes = {&node};
    Activation activation = Activation::none;
    double slope = 0.0;
    constexpr std::pair<Kind, Activation> kFused[] = {{Kind::relu, Activation::relu},
                                                      {Kind::leaky_relu, Activation::leaky_relu},
                                                      {Kind::sigmoid, Activation::sigmoid},
                                                      {Kind::tanh, Activation::tanh}};
    for (const auto& [kind, fused] : kFused) {
      const Node* next = only_reader(made, kind, end);
      if (next == nullptr) continue;
      activation = fused;
      slope = next->value;
      nodes.push_back(next);
      made = static_cast<std::int32_t>(next - graph_.nodes.data()) + 1;
      done_[static_cast<std::size_t>(made) - 1] = true;
      break;
    }
    const Form from_form = input_form(node);
    const int from = in_form(node.inputs.front(), from_form, node.dense.in);
    const Form next = wanted(made);
    const Form to_form = next.type == Form::Type::u8 ? next : Form{};
    const int to = new_buffer(made, to_form, node.dense.out);
    push(make_dense_step(isa_, node, activation, slope, from, from_form, to, to_form));
    describe(nodes);
  }

  void add_plain(std::size_t i) {
    const Node& node = graph_.nodes[i];
    std::vector<int> from;
    for (const std::int32_t v : node.inputs)
      from.push_back(in_form(v, Form{}, numel(value_shape(graph_, v))));
    const int to = new_buffer(static_cast<std::int32_t>(i) + 1, Form{}, numel(node.shape));
    const bool whole_softmax = node.kind == Kind::softmax && node.shape.size() == 1;
    push(whole_softmax ? make_softmax_step(isa_, numel(node.shape), from[0], to)
                       : make_plain_step(isa_, graph_, node, from, to));
    describe({&node});
  }

  // ---- places

  void find_lifetimes() {
    for (std::size_t s = 0; s < out_.steps.size(); ++s) {
      const int at = static_cast<int>(s);
      Buffer& made = out_.buffers[static_cast<std::size_t>(out_.steps[s]->writes)];
      made.first_step = made.last_step = at;
      for (const int id : out_.steps[s]->reads) out_.buffers[static_cast<std::size_t>(id)].last_step = at;
    }
    std::vector<std::size_t> answers(out_.buffers.size(), 0);  // the last segment whose logits lie there
    for (std::size_t s = 0; s < out_.segments.size(); ++s) {
      if (out_.segments[s].logits >= 0) answers[static_cast<std::size_t>(out_.segments[s].logits)] = s;
    }
    for (std::size_t s = 0; s < out_.segments.size(); ++s) {
      Segment& segment = out_.segments[s];
      const int end = static_cast<int>(segment.end);
      for (int b = 0; b < static_cast<int>(out_.buffers.size()); ++b) {
        const Buffer& buffer = out_.buffers[static_cast<std::size_t>(b)];
        const bool answers_later = answers[static_cast<std::size_t>(b)] > s;
        if (buffer.first_step < end && (buffer.last_step >= end || answers_later))
          segment.carried.push_back(b);
      }
    }
    for (const Segment& segment : out_.segments) {
      const int logits = segment.logits >= 0 ? segment.logits : out_.output;
      int& last = out_.buffers[static_cast<std::size_t>(logits)].last_step;
      last = std::max(last, static_cast<int>(segment.end));
    }
  }

  std::size_t bytes(const Buffer& buffer) const {
    if (buffer.form.type == Form::Type::u8)
      return aligned(buffer.not_finite(out_.tile) + static_cast<std::size_t>(out_.tile));
    const std::int64_t elements = out_.tile * buffer.pitch + kernels::kSlack;
    return aligned(static_cast<std::size_t>(elements * buffer.form.element_bytes()));
  }

  /// First fit, largest first: what is never in use at once may share its place.
  void place() {
    std::int64_t image = 1;
    for (const Buffer& buffer : out_.buffers) image += buffer.pitch * buffer.form.element_bytes();
    out_.tile = std::clamp(kTileBytes / image, kLeastTile, kMostTile);
    out_.tile = std::clamp<std::int64_t>(kMostTileBytes / image, 1, out_.tile);
    std::vector<std::size_t> order(out_.buffers.size());
    for (std::size_t b = 0; b < order.size(); ++b) order[b] = b;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return bytes(out_.buffers[a]) > bytes(out_.buffers[b]);
    });
    std::vector<const Buffer*> placed;  // by offset
    for (const std::size_t b : order) {
      Buffer& buffer = out_.buffers[b];
      const auto clashes = [&](const Buffer& other) {
        return buffer.is_pinned() || other.is_pinned() ||
               (buffer.first_step <= other.last_step && other.first_step <= buffer.last_step);
      };
      std::size_t offset = 0;
      for (const Buffer* other : placed) {
        const std::size_t other_end = other->offset + bytes(*other);
        if (!clashes(*other) || offset >= other_end || offset + bytes(buffer) <= other->offset) continue;
        offset = other_end;
      }
      buffer.offset = offset;
      out_.arena_bytes = std::max(out_.arena_bytes, offset + bytes(buffer));
      const auto behind =
          std::upper_bound(placed.begin(), placed.end(), offset,
                           [](std::size_t at, const Buffer* other) { return at < other->offset; });
      placed.insert(behind, &buffer);
    }
    for (const StepPtr& step : out_.steps) {
      const auto scratch = static_cast<std::size_t>(step->scratch_bytes(out_.tile));
      out_.scratch_bytes = std::max(out_.scratch_bytes, aligned(scratch));
    }
    const auto fits = static_cast<std::size_t>(kMostArenaBytes);
    require(out_.arena_bytes <= fits && out_.scratch_bytes <= fits - out_.arena_bytes, "plan", "an arena of ",
            out_.arena_bytes, " bytes and ", out_.scratch_bytes, " of scratch are needed; at most ",
            kMostArenaBytes, " are given");
  }

  const Graph& graph_;
  Isa isa_;
  const kernels::KernelTable& table_;
  std::vector<std::vector<std::size_t>> readers_;
  std::vector<Exit> exits_;
  // By value: whether it is an exit's logits, the value whose memory it is, the form in which it is best
  // made.
  std::vector<bool> is_exit_;
  std::vector<std::int32_t> source_;
  std::vector<Form> wanted_;
  std::vector<bool> by_winograd_;  // by node
  std::vector<bool> done_;
  std::map<std::int32_t, std::vector<int>> forms_;  // value -> buffers
  Schedule out_;
};

}  // namespace

Schedule make_schedule(const Graph& graph, Isa isa) { return Planner(graph, isa).run(); }

}  // namespace cbnet::runtime
