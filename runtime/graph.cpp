#include "runtime/graph.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cbnet::runtime {
namespace {

/// These are the fields of a node that are not every kind's.
enum Fields : unsigned {
  kNone = 0,
  kWindow = 1,
  kGroups = 2,
  kCeilMode = 4,
  kCountPad = 8,
  kValue = 16,
  kFunction = 32,
  kAxis = 64,
  kAxes = 128,
  kSlices = 256,
  kWeight = 512,
  kBias = 1024,
  kDense = 2048
};

/// One sample of a value has at most so many elements: far above any image, far below what overflows a
/// product.
constexpr std::int64_t kMaxElements = std::int64_t{1} << 28;

/// Counts weights that are not left out.
std::int64_t kept_weights(const LinearWeights& dense) {
  const BlockMask& mask = dense.mask;
  if (mask.kept.empty()) return dense.in * dense.out;
  const std::int64_t columns = (dense.in + mask.block_in - 1) / mask.block_in;
  std::int64_t out = 0;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(mask.kept.size()); ++i) {
    if (mask.kept[static_cast<std::size_t>(i)] == 0) continue;
    out += std::min(mask.block_out, dense.out - i / columns * mask.block_out) *
           std::min(mask.block_in, dense.in - i % columns * mask.block_in);
  }
  return out;
}

std::int64_t no_macs(const Graph&, const Node&) { return 0; }
std::int64_t linear_macs(const Graph&, const Node& node) { return kept_weights(node.dense); }
std::int64_t matmul_macs(const Graph& graph, const Node& node) {
  return numel(node.shape) * value_shape(graph, node.inputs[0]).back();
}
std::int64_t convolution_macs(const Graph&, const Node& node) {
  return numel(node.shape) * numel(node.weight.shape()) / node.weight.size(0);
}

/// Says what is wrong with one node.
class NodeCheck {
 public:
  NodeCheck(const Graph& graph, std::size_t i)
      : graph_(graph), node_(graph.nodes[i]), rules_(rules(node_.kind)), position_(i) {}

  /// This is a line of kinds.def.
  struct Rules {
    std::size_t min_inputs, max_inputs;
    unsigned fields;
    Shape (NodeCheck::*shape)() const;
    std::int64_t (*macs)(const Graph& graph, const Node& node);
  };
  static const Rules& rules(Kind kind) {
    static constexpr Rules kRules[] = {
#define KIND(name, min, max, fields, shape, macs, step) {min, max, fields, &NodeCheck::shape, macs},
#include "runtime/kinds.def"
    };
    return kRules[static_cast<std::size_t>(kind)];
  }

  void run() const {
    need(node_.inputs.size() >= rules_.min_inputs && node_.inputs.size() <= rules_.max_inputs, "reads ",
         node_.inputs.size(), " values");
    for (const std::int32_t v : node_.inputs)
      need(v >= 0 && static_cast<std::size_t>(v) <= position_, "reads value ", v, ", which is not before it");
    need(std::isfinite(node_.value), "has the parameter ", node_.value);
    only_own_fields();
    const Shape made = (this->*rules_.shape)();
    need(made == node_.shape, "makes ", made, ", not ", node_.shape);
    for (const Tensor& tensor : {node_.weight, node_.bias}) {
      if (!tensor.defined()) continue;
      need(tensor.dtype() == DType::f32 && tensor.is_contiguous(), "needs row-major f32 weights");
      need(all_finite(tensor), "has weights that are not finite");
    }
    check_scales();
    if (!node_.range) return;
    need(std::isnormal(node_.range->scale) && node_.range->scale > 0, "has bytes of the scale ",
         node_.range->scale);
    need(node_.range->zero_point >= 0 && node_.range->zero_point <= 255, "has bytes of the zero point ",
         node_.range->zero_point);
  }

 private:
  template <class... Message>
  void need(bool ok, const Message&... message) const {
    require(ok, "graph", node_.name, " (", to_string(node_.kind), ") ", message...);
  }

  /// Int8 weights are kept as the numbers that they stand for.
  void check_scales() const {
    if (node_.scales.empty()) return;
    const auto outputs = static_cast<std::size_t>(node_.weight.size(0));
    need(node_.scales.size() == outputs, "has ", node_.scales.size(), " scales of ", outputs, " outputs");
    const std::int64_t each = node_.weight.numel() / node_.weight.size(0);
    for (std::int64_t i = 0; i < node_.weight.numel(); ++i) {
      const float scale = node_.scales[static_cast<std::size_t>(i / each)], w = node_.weight.data<float>()[i];
      need(std::isnormal(scale) && scale > 0, "has weights of the scale ", scale);
      const float steps = std::nearbyint(w / scale);
      need(std::abs(steps) <= 127.0F && steps * scale == w, "has the weight ", w,
           ", which is not -127 to 127 times its scale ", scale);
    }
  }

  /// What a kind does not know stands at its default: what reads a field trusts it where it is set.
  void only_own_fields() const {
    const LinearWeights& dense = node_.dense;
    const bool no_dense = dense.in == 0 && dense.out == 0 && dense.precision == Precision::fp32 &&
                          dense.fp32.empty() && dense.bf16.empty() && dense.int8.empty() &&
                          dense.scales.empty() && dense.bias.empty() && dense.mask.kept.empty() &&
                          dense.mask.block_out == 0 && dense.mask.block_in == 0;
    struct Field {
      const char* name;
      Fields of;
      bool set;
    };
    const Field fields[] = {
        {"a kernel", kWindow, node_.window.kernel_size != 1},
        {"a stride", kWindow, node_.window.stride != 1},
        {"a padding", kWindow, !node_.window.padding.is_none()},
        {"a dilation", kWindow, node_.window.dilation != 1},
        {"groups", kGroups, node_.groups != 1},
        {"scales of weights", kGroups, !node_.scales.empty()},
        {"ceil_mode", kCeilMode, node_.window.ceil_mode},
        {"count_include_pad", kCountPad, !node_.count_include_pad},
        {"a parameter", kValue, node_.value != 0},
        {"a function", kFunction, node_.function != Pointwise::relu},
        {"an axis", kAxis, node_.axis != 0},
        {"axes", kAxes, !node_.axes.empty()},
        {"starts", kSlices, !node_.starts.empty()},
        {"steps", kSlices, !node_.steps.empty()},
        // What reads two values has no constant besides.
        {"weights", node_.inputs.size() == 1 ? kWeight : kNone, node_.weight.defined()},
        {"a bias", kBias, node_.bias.defined()},
        {"a linear layer's weights", kDense, !no_dense},
        {"a quantization", kDense, node_.input.scale != 1.0F || node_.input.zero_point != 0},
    };
    for (const Field& field : fields)
      need((rules_.fields & field.of) != 0 || !field.set, "has ", field.name,
           ", which this kind does not have");
  }

  /// Calls f(), with the node's name before what it throws.
  template <class F>
  auto named(F f) const {
    try {
      return f();
    } catch (const std::invalid_argument& wrong) {
      need(false, wrong.what());
      throw;
    }
  }

  const Shape& in(std::size_t k = 0) const { return value_shape(graph_, node_.inputs[k]); }

  Shape convolution() const {
    const bool weighted = node_.weight.defined() && node_.weight.rank() == 4;
    const std::int64_t channels = weighted ? node_.weight.size(0) : 0;
    Shape out = named([&] { return window_shape(to_string(node_.kind), in(), channels, node_.window); });
    need(node_.groups >= 1 && node_.groups <= kMaxElements, "has ", node_.groups, " groups");
    const auto& kernel = node_.window.kernel_size;
    const Shape expected = {channels, in()[0] / node_.groups, kernel.h, kernel.w};
    need(weighted && node_.weight.shape() == expected && expected[0] >= 1, "needs weights ", expected);
    need(in()[0] % node_.groups == 0 && expected[0] % node_.groups == 0, "has ", node_.groups, " groups");
    need(!node_.bias.defined() || node_.bias.shape() == Shape{expected[0]}, "needs a bias of ", expected[0]);
    return out;
  }

  Shape pooled() const {
    const bool largest = node_.kind == Kind::max_pool2d;
    need(largest || node_.window.dilation == 1, "has a dilation");
    need(largest || !node_.count_include_pad || node_.window.padding.is_symmetric(),
         "counts padding that differs from side to side");
    return named([&] { return pool_shape(to_string(node_.kind), in(), node_.window); });
  }

  Shape linear() const {
    const LinearWeights& dense = node_.dense;
    need(in().size() == 1 && in()[0] == dense.in, "reads ", dense.in, " features; got ", in());
    need(dense.in >= 1 && dense.out >= 1 && dense.in <= kMaxElements / dense.out, "has weights of a size");
    named([&] { check(dense, {.input = node_.input}); });
    const auto finite = [](const std::vector<float>& values) {
      return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
    };
    for (const float scale : dense.scales) {
      need(std::isnormal(scale * node_.input.scale), "has a product of scales of ", scale * node_.input.scale,
           " (", scale, " times ", node_.input.scale, "), which is no normal number");
    }
    need(finite(dense.fp32) && finite(dense.scales) && finite(dense.bias), "has weights that are not finite");
    need(std::none_of(dense.bf16.begin(), dense.bf16.end(),
                      [](std::uint16_t v) { return (v & 0x7F80U) == 0x7F80U; }),
         "has weights that are not finite");
    return {dense.out};
  }

  Shape joined() const {
    const bool pair = node_.inputs.size() == 2;
    need(pair || node_.weight.defined(), "has no second operand");
    return named(
        [&] { return broadcast_shapes(in(), pair ? in(1) : node_.weight.shape(), to_string(node_.kind)); });
  }

  Shape concatenated() const {
    Shape out = in();
    need(node_.axis >= 0 && node_.axis < static_cast<std::int64_t>(out.size()), "has the axis ", node_.axis);
    const auto axis = static_cast<std::size_t>(node_.axis);
    out[axis] = 0;
    for (std::size_t k = 0; k < node_.inputs.size(); ++k) {
      Shape part = in(k);
      need(part.size() == out.size(), "joins ", in(), " and ", part);
      out[axis] += part[axis];
      part[axis] = in()[axis];
      need(part == in(), "joins ", in(), " and ", in(k));
    }
    return out;
  }

  Shape transposed() const {
    Shape out;
    std::vector<std::int64_t> sorted = node_.axes;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < sorted.size(); ++i)
      need(sorted[i] == static_cast<std::int64_t>(i), "repeats an axis");
    need(sorted.size() == in().size(), "names ", sorted.size(), " axes of ", in());
    for (const std::int64_t axis : node_.axes) out.push_back(in()[static_cast<std::size_t>(axis)]);
    return out;
  }

  Shape sliced() const {
    const auto within = [](std::int64_t number) { return std::abs(number) <= kMaxElements; };
    const std::size_t rank = in().size();
    need(rank >= 1 && node_.shape.size() == rank && node_.starts.size() == rank && node_.steps.size() == rank,
         "needs a start and a step for every axis of ", in());
    need(std::all_of(node_.starts.begin(), node_.starts.end(), within), "starts at ", node_.starts);
    need(std::all_of(node_.steps.begin(), node_.steps.end(),
                     [&](std::int64_t step) { return step != 0 && within(step); }),
         "has the steps ", node_.steps);
    return node_.shape;
  }

  Shape multiplied() const {
    const Shape &a = in(), &b = in(1);
    Shape out = a, inner = b;
    need(a.size() >= 2 && b.size() == a.size() && a.back() == b[b.size() - 2], "multiplies ", a, " and ", b);
    out.back() = inner.back();
    inner[inner.size() - 2] = a[a.size() - 2];
    need(inner == out, "multiplies ", a, " and ", b);
    return out;
  }

  Shape same() const { return in(); }
  Shape lines() const {
    need(!in().empty(), "reads a scalar");
    return in();
  }
  Shape per_channel() const {
    need(!in().empty() && node_.weight.defined() && node_.bias.defined() &&
             node_.weight.shape() == Shape{in()[0]} && node_.bias.shape() == Shape{in()[0]},
         "needs a factor and a summand per channel of ", in());
    return in();
  }
  Shape reshaped() const {
    need(numel(in()) == numel(node_.shape), "reads ", in());
    return node_.shape;
  }
  Shape of_function() const {
    need(is_unary(node_.function), "has the function ", to_string(node_.function),
         ", which takes two numbers");
    return in();
  }

  const Graph& graph_;
  const Node& node_;
  const Rules& rules_;
  std::size_t position_;
};

void check_size(const Shape& shape, const std::string& name) {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) {
    require(size >= 1 && size <= kMaxElements / product, "graph", name, " has the shape ", shape,
            "; at most ", kMaxElements, " elements fit");
    product *= size;
  }
}

}  // namespace

const char* to_string(Kind kind) {
  static constexpr const char* kNames[] = {
#define KIND(name, ...) #name,
#include "runtime/kinds.def"
  };
  return kNames[static_cast<std::size_t>(kind)];
}

const Shape& value_shape(const Graph& graph, std::int32_t v) {
  return v == 0 ? graph.input : graph.nodes.at(static_cast<std::size_t>(v) - 1).shape;
}

std::optional<QuantParams> value_range(const Graph& graph, std::int32_t v) {
  if (v == 0) return QuantParams{1.0F / 255.0F, 0};
  const Node& node = graph.nodes.at(static_cast<std::size_t>(v) - 1);
  return node.kind == Kind::reshape ? value_range(graph, node.inputs.front()) : node.range;
}

std::int64_t node_macs(const Graph& graph, const Node& node) {
  return NodeCheck::rules(node.kind).macs(graph, node);
}

std::int64_t node_weight_bytes(const Node& node) {
  const auto bytes = [](const auto& values) {
    return static_cast<std::int64_t>(values.size() * sizeof(values[0]));
  };
  const LinearWeights& dense = node.dense;
  std::int64_t out = bytes(dense.fp32) + bytes(dense.bf16) + bytes(dense.int8);
  if (out > 0) out = out / (dense.in * dense.out) * kept_weights(dense);
  out += bytes(dense.scales) + bytes(dense.bias);
  out += bytes(node.scales);
  if (node.weight.defined()) out += (node.scales.empty() ? 4 : 1) * node.weight.numel();
  if (node.bias.defined()) out += 4 * node.bias.numel();
  return out;
}

void check(const Graph& graph) {
  check_size(graph.input, "the input");
  require(!graph.nodes.empty(), "graph", "there are no layers");
  require(graph.nodes.size() <= kMaxNodes, "graph", "at most ", kMaxNodes, " layers are compiled; got ",
          graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    check_size(graph.nodes[i].shape, graph.nodes[i].name);
    NodeCheck(graph, i).run();
  }
  std::int32_t before = 0;
  const Shape& last = graph.nodes.back().shape;
  for (const Exit& exit : graph.exits) {
    require(exit.logits > before && exit.logits <= static_cast<std::int32_t>(graph.nodes.size()), "graph",
            "side exits must stand in order; got one at value ", exit.logits, " after ", before);
    require(std::isfinite(exit.threshold), "graph", "a threshold is ", exit.threshold);
    require(value_shape(graph, exit.logits) == last, "graph", "exits must have one shape; got ",
            value_shape(graph, exit.logits), " and ", last);
    before = exit.logits;
  }
  require(graph.classifies || graph.exits.empty(), "graph", "a network with side exits must classify");
  require(!graph.classifies || last.size() == 1, "graph", "a classifier must end in one number a class; got ",
          last);
}

}  // namespace cbnet::runtime
