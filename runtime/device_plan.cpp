#include "runtime/device_plan.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "tensor/error.h"

namespace cbnet::runtime {
namespace {

using cuda::NetActivation;
using cuda::NetStep;
using cuda::NetStepKind;

int number(std::int64_t value) { return static_cast<int>(value); }

/// These are the places of the activations of one image: a place is free again behind the last step that
/// reads it.
class Places {
 public:
  int take(std::int64_t floats) {
    const int size = rounded(floats);
    for (auto hole = holes_.begin(); hole != holes_.end(); ++hole) {
      if (hole->size < size) continue;
      const int at = hole->at;
      hole->at += size;
      hole->size -= size;
      if (hole->size == 0) holes_.erase(hole);
      return at;
    }
    end_ += size;
    return end_ - size;
  }

  void give(int at, std::int64_t floats) {
    const auto next =
        std::find_if(holes_.begin(), holes_.end(), [at](const Hole& hole) { return hole.at > at; });
    auto hole = holes_.insert(next, {at, rounded(floats)});
    for (auto after = hole + 1; after != holes_.end() && hole->at + hole->size == after->at;
         after = hole + 1) {
      hole->size += after->size;
      holes_.erase(after);
    }
    if (hole != holes_.begin() && (hole - 1)->at + (hole - 1)->size == hole->at) {
      (hole - 1)->size += hole->size;
      holes_.erase(hole);
    }
  }

  int end() const { return end_; }

 private:
  struct Hole {
    int at, size;
  };
  static int rounded(std::int64_t floats) { return number((floats + 3) / 4 * 4); }

  std::vector<Hole> holes_;
  int end_ = 0;
};

std::optional<NetActivation> activation_of(const Node& node) {
  switch (node.kind) {
    case Kind::relu:
      return NetActivation::relu;
    case Kind::leaky_relu:
      return NetActivation::leaky_relu;
    case Kind::sigmoid:
      return NetActivation::sigmoid;
    case Kind::tanh:
      return NetActivation::tanh;
    case Kind::rescale:
      return NetActivation::rescale;
    default:
      return std::nullopt;
  }
}

class Lowering {
 public:
  explicit Lowering(const Graph& graph) : graph_(graph), readers_(graph.nodes.size() + 1, 0) {
    for (const Node& node : graph.nodes) {
      for (const std::int32_t input : node.inputs) ++readers_[static_cast<std::size_t>(input)];
    }
    // A block may still read the logits of an exit while the others of its team have gone on: no step writes
    // there.
    for (const Exit& exit : graph.exits) ++readers_[static_cast<std::size_t>(exit.logits)];
    ++readers_.back();
  }

  cuda::NetProgram run() {
    out_.pixels = number(numel(graph_.input));
    out_.classifies = graph_.classifies;
    places_.emplace_back(Place{places_pool_.take(out_.pixels), out_.pixels, -1});
    std::size_t exit = 0;
    add_exits(0, exit);
    for (std::size_t i = 0; i < graph_.nodes.size();) {
      const std::size_t next = lower(i);
      for (; i < next; ++i) add_exits(i + 1, exit);
    }
    const std::int64_t made =
        numel(value_shape(graph_, number(static_cast<std::int64_t>(graph_.nodes.size()))));
    out_.outputs = number(made);
    out_.output = places_.back().at;
    if (graph_.classifies)
      add_exit(graph_.nodes.size(), std::numeric_limits<float>::infinity(),
               number(static_cast<std::int64_t>(exit)));
    out_.activations = places_pool_.end();
    return std::move(out_);
  }

 private:
  /// Returns where value v stands; one that is another seen differently stands where that does.
  struct Place {
    int at;
    std::int64_t size;
    std::int32_t of;  // the value whose place it is; -1: its own
  };

  [[noreturn]] static void refuse(const Node& node, const std::string& why) {
    throw std::invalid_argument(concat("[device_plan] layer '", node.name, "' (", to_string(node.kind),
                                       "): the device's kernel does not compute ", why,
                                       "; hint: --device cpu, or the eager engine"));
  }

  void add_exits(std::size_t value, std::size_t& exit) {
    for (; exit < graph_.exits.size() && static_cast<std::size_t>(graph_.exits[exit].logits) == value; ++exit)
      add_exit(value, static_cast<float>(graph_.exits[exit].threshold),
               number(static_cast<std::int64_t>(exit)));
  }
  void add_exit(std::size_t value, float threshold, int exit) {
    NetStep step;
    step.kind = NetStepKind::exit;
    step.input = places_[value].at;
    step.c = number(places_[value].size);
    step.threshold = threshold;
    step.exit = exit;
    out_.steps.push_back(step);
  }

  void read(std::int32_t value) {
    if (--readers_[static_cast<std::size_t>(value)] > 0) return;
    const Place& place = places_[static_cast<std::size_t>(value)];
    if (place.of >= 0) return read(place.of);
    places_pool_.give(place.at, place.size);
  }

  int add_weights(const float* values, std::size_t count) {
    const auto at = number(static_cast<std::int64_t>(out_.weights.size()));
    out_.weights.insert(out_.weights.end(), values, values + count);
    return at;
  }
  int add_weights(const Tensor& tensor) {
    if (!tensor.defined()) return -1;
    const std::vector<float> values = tensor.to_vector<float>();
    return add_weights(values.data(), values.size());
  }
  int add_weights(const std::vector<float>& values) {
    return values.empty() ? -1 : add_weights(values.data(), values.size());
  }

  /// Returns the node behind i, where nobody else reads what i makes.
  const Node* only_reader(std::size_t i) const {
    if (i + 1 >= graph_.nodes.size() || readers_[i + 1] != 1) return nullptr;
    const Node& next = graph_.nodes[i + 1];
    return next.inputs.size() == 1 && next.inputs[0] == static_cast<std::int32_t>(i + 1) ? &next : nullptr;
  }

  static bool is_two_by_two(const Node& node) {
    const Window2d& w = node.window;
    return node.kind == Kind::max_pool2d && w.kernel_size == Pair(2) && w.stride == Pair(2) &&
           w.padding.is_none() && w.dilation == Pair(1);
  }

  static void set_image(NetStep& step, const Shape& in, const Shape& made) {
    step.c = number(in[0]), step.h = number(in[1]), step.w = number(in[2]);
    step.o = number(made[0]), step.oh = number(made[1]), step.ow = number(made[2]);
  }

  /// Makes the steps of node i and of those behind it that are one with it; returns the node behind them.
  std::size_t lower(std::size_t i) {
    const Node& node = graph_.nodes[i];
    const Shape& in = value_shape(graph_, node.inputs[0]);
    if (node.kind == Kind::reshape) {
      const Place from = places_[static_cast<std::size_t>(node.inputs[0])];
      places_.push_back({from.at, from.size, node.inputs[0]});
      return i + 1;
    }
    if (node.kind == Kind::concat) return concatenate(i);
    NetStep step = step_of(node, in);
    std::size_t end = i + 1;
    const Node* next = only_reader(i);
    if (next != nullptr && node.kind == Kind::conv2d && is_two_by_two(*next) &&
        next->shape[1] == node.shape[1] / 2 && next->shape[2] == node.shape[2] / 2) {
      step.pool = 2;
      next = only_reader(end++);
    }
    if (next != nullptr && step.activation == NetActivation::none && step.kind != NetStepKind::softmax) {
      if (const auto activation = activation_of(*next)) {
        step.activation = *activation;
        step.value = static_cast<float>(next->value);
        ++end;
      }
    }
    finish(i, end, step);
    return end;
  }

  /// Gives the outputs of nodes i to end - 1, of which only the last is read, their place.
  void finish(std::size_t i, std::size_t end, NetStep step) {
    const Node& node = graph_.nodes[i];
    const std::int64_t size = numel(graph_.nodes[end - 1].shape);
    step.input = places_[static_cast<std::size_t>(node.inputs[0])].at;
    if (node.inputs.size() > 1) step.other = places_[static_cast<std::size_t>(node.inputs[1])].at;
    step.output = places_pool_.take(size);
    for (std::size_t n = i; n < end; ++n) places_.push_back({step.output, size, -1});
    out_.steps.push_back(step);
    for (const std::int32_t input : node.inputs) read(input);
  }

  NetStep step_of(const Node& node, const Shape& in) {
    NetStep step;
    step.c = number(numel(in));
    const auto image = [&] {
      set_image(step, in, node.shape);
      const Window2d& w = node.window;
      step.kh = number(w.kernel_size.h), step.kw = number(w.kernel_size.w);
      step.stride_h = number(w.stride.h), step.stride_w = number(w.stride.w);
      step.dilation_h = number(w.dilation.h), step.dilation_w = number(w.dilation.w);
      step.pad_h = number(w.padding.top), step.pad_w = number(w.padding.left);
      step.pad_bottom = number(w.padding.bottom), step.pad_right = number(w.padding.right);
    };
    switch (node.kind) {
      case Kind::conv2d:
        image();
        step.kind = NetStepKind::conv2d;
        step.groups = number(node.groups);
        step.weight = add_weights(node.weight);
        step.bias = add_weights(node.bias);
        break;
      case Kind::linear:
        if (node.dense.precision != Precision::fp32)
          refuse(node, concat("weights in ", to_string(node.dense.precision)));
        if (in.size() != 1) refuse(node, concat("a layer on several rows, ", in));
        step.kind = NetStepKind::linear;
        step.c = number(node.dense.in), step.o = number(node.dense.out);
        step.weight = add_weights(node.dense.fp32);
        step.bias = add_weights(node.dense.bias);
        break;
      case Kind::max_pool2d:
      case Kind::avg_pool2d:
        image();
        step.kind = node.kind == Kind::max_pool2d ? NetStepKind::max_pool : NetStepKind::avg_pool;
        step.count_include_pad = node.count_include_pad;
        break;
      case Kind::affine:
        step.kind = NetStepKind::affine;
        step.c = number(in[0]), step.h = number(numel(in) / in[0]);
        step.weight = add_weights(node.weight);
        step.bias = add_weights(node.bias);
        break;
      case Kind::add:
      case Kind::mul:
        if (node.inputs.size() != 2) refuse(node, "a constant beside a value");
        step.kind = node.kind == Kind::add ? NetStepKind::add : NetStepKind::mul;
        break;
      case Kind::softmax:
        if (in.size() != 1) refuse(node, concat("it over one axis of ", in));
        step.kind = NetStepKind::softmax;
        break;
      case Kind::pointwise:
        if (node.function != Pointwise::relu) refuse(node, concat("the function ", to_string(node.function)));
        step.activation = NetActivation::relu;
        break;
      default:
        if (!activation_of(node)) refuse(node, "this");
        step.activation = *activation_of(node);
        step.value = static_cast<float>(node.value);
    }
    return step;
  }

  std::size_t concatenate(std::size_t i) {
    const Node& node = graph_.nodes[i];
    if (node.axis != 0) refuse(node, concat("it along axis ", node.axis, " of a sample"));
    const std::int64_t size = numel(node.shape);
    const int at = places_pool_.take(size);
    std::int64_t offset = 0;
    for (const std::int32_t input : node.inputs) {
      const Place& part = places_[static_cast<std::size_t>(input)];
      NetStep step;
      step.kind = NetStepKind::copy;
      step.input = part.at;
      step.output = at + number(offset);
      step.c = number(numel(value_shape(graph_, input)));
      offset += step.c;
      out_.steps.push_back(step);
    }
    places_.push_back({at, size, -1});
    for (const std::int32_t input : node.inputs) read(input);
    return i + 1;
  }

  const Graph& graph_;
  std::vector<std::int64_t> readers_;  // of every value, still to come
  std::vector<Place> places_;          // of every value so far
  Places places_pool_;
  cuda::NetProgram out_;
};

}  // namespace

cuda::NetProgram device_program(const Graph& graph) {
  check(graph);
  return Lowering(graph).run();
}

bool device_computes(const Graph& graph) {
  const Graph folded = fold(graph);
  try {
    static_cast<void>(Lowering(folded).run());
    return true;
  } catch (const std::invalid_argument&) {
    return false;  // what the graph has, check() has found right: it is the program that lacks a layer
  }
}

DevicePlan::DevicePlan(const Graph& graph)
    : graph_(fold(graph)), engine_(std::make_unique<cuda::NetEngine>(device_program(graph_))) {}

const cuda::NetAnswers& DevicePlan::run(const std::uint8_t* pixels, std::int64_t n, cuda::NetLaunch launch) {
  require(n >= 1 && pixels != nullptr, "device_plan", "expected images; got ", n);
  if (n == 1) {
    engine_->run_one(pixels, launch, answers_);
  } else {
    engine_->run_many(pixels, n, answers_);
  }
  return answers_;
}

}  // namespace cbnet::runtime
