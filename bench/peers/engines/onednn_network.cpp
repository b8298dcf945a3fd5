// oneDNN on a network of any layers: rectifiers as post-ops, and a sum of two branches as a post-op of the
// convolution that ends the later one, which then writes over the other branch's values.
#include "bench/peers/engines/onednn_network.h"

#include <algorithm>
#include <dnnl.hpp>
#include <limits>
#include <unordered_map>

#include "bench/peers/calibration.h"
#include "bench/peers/graph_nodes.h"
#include "runtime/quantize.h"
#include "tensor/error.h"

namespace cbnet::peers {
namespace {

using dnnl::memory;
using runtime::Kind;
using runtime::Node;
using Tag = memory::format_tag;
using Type = memory::data_type;

constexpr auto kInference = dnnl::prop_kind::forward_inference;

memory::desc plain(const memory::dims& dims, Type type = Type::f32) {
  return {dims, type, dims.size() == 4 ? Tag::nchw : Tag::nc};
}
memory::desc any(const memory::dims& dims, Type type) { return {dims, type, Tag::any}; }

/// This is how a value is stored: real = scale * stored.
struct Stored {
  Type type = Type::f32;
  float scale = 1.0F;
};

class Chain {
 public:
  Chain(const PeerModel& model, std::int64_t batch, bool int8)
      : graph_(model.graph), n_(batch), int8_(int8), at_(graph_.nodes.size() + 1), stored_(at_.size()) {
    at_[0] = input_ = memory(plain(with_batch(graph_.input)), engine_);
    if (int8) {
      const auto ranges = value_ranges(model);
      for (std::size_t v = 0; v < ranges.size(); ++v) stored_[v] = in_bytes(ranges[v]);
      stored_.back() = {};
      dnnl::primitive_attr attr;
      attr.set_output_scales(0, {1.0F / stored_[0].scale});
      at_[0] = reordered(input_, plain(with_batch(graph_.input), stored_[0].type), attr);
    }
    for (std::size_t v = 1; v < at_.size(); ++v) {
      if (!at_[v]) append(static_cast<std::int32_t>(v));
    }
    dnnl::primitive_attr attr;
    attr.set_output_scales(0, {stored_.back().scale});
    at_.back() = reordered(at_.back(), plain(dims_of(at_.back())), attr);
  }

  const float* run(const float* pixels) {
    input_.set_data_handle(const_cast<float*>(pixels));
    for (Step& step : steps_) step.primitive.execute(stream_, step.args);
    stream_.wait();
    return static_cast<const float*>(at_.back().get_data_handle());
  }

 private:
  struct Step {
    dnnl::primitive primitive;
    std::unordered_map<int, memory> args;
  };

  static Stored in_bytes(const runtime::QuantParams& range) {
    if (range.zero_point == 0) return {Type::u8, range.scale};
    const auto widest = static_cast<float>(std::max(range.zero_point, 255 - range.zero_point));
    return {Type::s8, range.scale * widest / 127.0F};
  }

  memory::dims with_batch(const Shape& sample) const {
    memory::dims dims = {n_};
    dims.insert(dims.end(), sample.begin(), sample.end());
    return dims;
  }
  static memory::dims dims_of(const memory& value) { return value.get_desc().dims(); }
  const Node& node_of(std::int32_t v) const { return graph_.nodes[static_cast<std::size_t>(v) - 1]; }
  memory& at(std::int32_t v) { return at_[static_cast<std::size_t>(v)]; }
  Stored& stored(std::int32_t v) { return stored_[static_cast<std::size_t>(v)]; }
  bool is_last(std::int32_t v) const { return static_cast<std::size_t>(v) + 1 == at_.size(); }

  memory reordered(const memory& from, const memory::desc& to, const dnnl::primitive_attr& attr = {}) {
    if (from.get_desc() == to) return from;
    memory out(to, engine_);
    steps_.push_back({dnnl::reorder(dnnl::reorder::primitive_desc(from, out, attr)),
                      {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, out}}});
    return out;
  }

  /// Puts weights that lie as `user` says into the layout that a primitive asked for.
  memory weights(const void* data, const memory::desc& user, const memory::desc& requested) {
    memory given(user, engine_);
    std::copy_n(static_cast<const std::byte*>(data), user.get_size(),
                static_cast<std::byte*>(given.get_data_handle()));
    if (user == requested) return given;
    memory out(requested, engine_);
    dnnl::reorder(given, out).execute(stream_, given, out);
    stream_.wait();
    return out;
  }

  void push(const dnnl::primitive& primitive, std::int32_t first, std::int32_t made, const memory& out,
            std::unordered_map<int, memory> args) {
    args.emplace(DNNL_ARG_DST, out);
    steps_.push_back({primitive, std::move(args)});
    at(first) = out;
    for (std::int32_t v = first; v != made;) at(v = next_joined(v)) = out;
  }

  /// The value that the one reader of v makes.
  std::int32_t next_joined(std::int32_t v) const {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const auto& inputs = graph_.nodes[i].inputs;
      if (std::find(inputs.begin(), inputs.end(), v) != inputs.end()) return static_cast<std::int32_t>(i) + 1;
    }
    throw std::logic_error("a joined value without a reader");
  }

  /// Appends the rectifiers from value v on to value `made`; bytes without a sign cut off by themselves.
  void add_rectifiers(dnnl::post_ops& ops, std::int32_t v, std::int32_t made) {
    if (stored(made).type == Type::u8) return;
    constexpr float kLowest = std::numeric_limits<float>::lowest();
    while (v != made) {
      const Node& node = node_of(v = next_joined(v));
      if (node.kind == Kind::relu)
        ops.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
      else
        ops.append_eltwise(1.0F, dnnl::algorithm::eltwise_clip, kLowest, static_cast<float>(node.value));
    }
  }

  /// The value that a sum of v and another makes, where the layer that makes v may write over that other; v
  /// where there is none.
  std::int32_t with_sum(std::int32_t v) {
    if (reader_count(graph_, v) != 1) return v;
    const std::int32_t sum = next_joined(v);
    const Node& node = node_of(sum);
    if (node.kind != Kind::add || std::max(node.inputs[0], node.inputs[1]) != v || is_last(sum)) return v;
    const std::int32_t other = std::min(node.inputs[0], node.inputs[1]);
    if (other == 0 || other == v) return v;
    for (std::int32_t reader = v + 1; reader <= static_cast<std::int32_t>(graph_.nodes.size()); ++reader) {
      const auto& inputs = node_of(reader).inputs;
      if (reader != sum && std::find(inputs.begin(), inputs.end(), other) != inputs.end()) return v;
    }
    return is_last(with_rectifiers(graph_, sum)) ? v : sum;
  }

  void append(std::int32_t v) {
    const Node& node = node_of(v);
    switch (node.kind) {
      case Kind::conv2d:
        append_convolution(v, node);
        return;
      case Kind::linear:
        append_linear(v, node);
        return;
      case Kind::max_pool2d:
      case Kind::avg_pool2d:
        append_pool(v, node);
        return;
      case Kind::add:
        append_sum(v, node);
        return;
      case Kind::reshape:  // A linear layer reads planes as they lie.
        at(v) = at(node.inputs.front());
        stored(v) = stored(node.inputs.front());
        if (is_last(v)) at(v) = flat(at(v));
        return;
      default:
        append_function(v, node);
    }
  }

  memory flat(const memory& planes) {
    const memory rows = reordered(planes, plain(dims_of(planes), planes.get_desc().data_type()));
    const memory::dims dims = dims_of(rows);
    if (dims.size() == 2) return rows;
    kept_.push_back(rows);
    return {plain({n_, dims[1] * dims[2] * dims[3]}, rows.get_desc().data_type()), engine_,
            rows.get_data_handle()};
  }

  /// What a layer with weights needs, in the precision of its input.
  struct Weighted {
    std::vector<float> fp32, bias, scales;
    std::vector<std::int8_t> int8;
    dnnl::primitive_attr attr;
    memory::desc dst;
    memory out;  // where a sum is written over, else none
    const void* data() const { return int8.empty() ? static_cast<const void*>(fp32.data()) : int8.data(); }
  };

  Weighted prepare(std::int32_t v, std::int32_t sum, std::int32_t made, Weighted layer) {
    const Node& node = node_of(v);
    const std::int64_t outputs = node.shape.front();
    const Stored from = stored(node.inputs.front()), to = stored(made);
    layer.bias.resize(static_cast<std::size_t>(outputs), 0.0F);
    if (from.type != Type::f32) {
      runtime::LinearWeights rows;
      rows.out = outputs;
      rows.in = static_cast<std::int64_t>(layer.fp32.size()) / outputs;
      rows.fp32 = std::move(layer.fp32);
      rows = runtime::convert(rows, runtime::Precision::int8);
      layer.int8 = std::move(rows.int8);
      for (std::size_t o = 0; o < layer.bias.size(); ++o) {
        layer.bias[o] /= from.scale * rows.scales[o];
        layer.scales.push_back(from.scale * rows.scales[o] / to.scale);
      }
      layer.attr.set_output_scales(1 << 1, layer.scales);
    }
    layer.dst = any(with_batch(node_of(made).shape), to.type);
    dnnl::post_ops ops;
    if (sum != v) {
      const auto& inputs = node_of(sum).inputs;
      const std::int32_t other = std::min(inputs[0], inputs[1]);
      ops.append_sum(stored(other).scale / to.scale, 0, stored(other).type);
      layer.dst = at(other).get_desc();
      layer.dst.data.data_type = static_cast<dnnl_data_type_t>(to.type);
      layer.out = memory(layer.dst, engine_, at(other).get_data_handle());
    }
    add_rectifiers(ops, sum, made);
    layer.attr.set_post_ops(ops);
    return layer;
  }

  void append_convolution(std::int32_t v, const Node& node) {
    const std::int32_t sum = with_sum(v), made = with_rectifiers(graph_, sum);
    const Tensor dense = node.weight.contiguous();
    Weighted layer;
    layer.fp32.assign(dense.data<float>(), dense.data<float>() + dense.numel());
    if (node.bias.defined())
      layer.bias.assign(node.bias.data<float>(), node.bias.data<float>() + node.bias.numel());
    layer = prepare(v, sum, made, std::move(layer));
    const Window2d& w = node.window;
    const memory from = at(node.inputs.front());
    const Type type = layer.int8.empty() ? Type::f32 : Type::s8;
    const std::int64_t out = node.shape[0], g = node.groups;
    memory::dims dims = {out, node.weight.size(1), node.weight.size(2), node.weight.size(3)};
    if (g > 1) dims = {g, out / g, dims[1], dims[2], dims[3]};
    const memory::desc user(dims, type, g > 1 ? Tag::goihw : Tag::oihw), bias({out}, Type::f32, Tag::x);
    const dnnl::convolution_forward::primitive_desc desc(
        {kInference, dnnl::algorithm::convolution_auto, any(dims_of(from), from.get_desc().data_type()),
         any(dims, type), bias, layer.dst, memory::dims{w.stride.h, w.stride.w},
         memory::dims{w.dilation.h - 1, w.dilation.w - 1}, memory::dims{w.padding.top, w.padding.left},
         memory::dims{w.padding.bottom, w.padding.right}},
        layer.attr, engine_);
    const memory x = reordered(from, desc.src_desc());
    push(dnnl::convolution_forward(desc), v, made, layer.out ? layer.out : memory(desc.dst_desc(), engine_),
         {{DNNL_ARG_SRC, x},
          {DNNL_ARG_WEIGHTS, weights(layer.data(), user, desc.weights_desc())},
          {DNNL_ARG_BIAS, weights(layer.bias.data(), bias, desc.bias_desc())}});
  }

  void append_linear(std::int32_t v, const Node& node) {
    const std::int32_t made = with_rectifiers(graph_, v);
    Weighted layer;
    layer.fp32 = node.dense.fp32;
    layer.bias = node.dense.bias;
    layer = prepare(v, v, made, std::move(layer));
    const memory from = at(node.inputs.front());
    const Type type = layer.int8.empty() ? Type::f32 : Type::s8;
    memory::dims dims = dims_of(from);
    dims[0] = node.dense.out;
    const memory::desc user(dims, type, dims.size() == 4 ? Tag::oihw : Tag::oi),
        bias({dims[0]}, Type::f32, Tag::x);
    const dnnl::inner_product_forward::primitive_desc desc(
        {kInference, any(dims_of(from), from.get_desc().data_type()), any(dims, type), bias, layer.dst},
        layer.attr, engine_);
    const memory x = reordered(from, desc.src_desc());
    push(dnnl::inner_product_forward(desc), v, made, memory(desc.dst_desc(), engine_),
         {{DNNL_ARG_SRC, x},
          {DNNL_ARG_WEIGHTS, weights(layer.data(), user, desc.weights_desc())},
          {DNNL_ARG_BIAS, weights(layer.bias.data(), bias, desc.bias_desc())}});
  }

  void append_pool(std::int32_t v, const Node& node) {
    const std::int32_t from = node.inputs.front();
    const Window2d& w = node.window;
    const Shape& in = value_shape(graph_, from);
    const std::int64_t kh = w.kernel_size.h, kw = w.kernel_size.w;
    // Where the number of windows is rounded up the last one hangs over the edge.
    const memory::dims over = {(node.shape[1] - 1) * w.stride.h + kh - in[1] - w.padding.top,
                               (node.shape[2] - 1) * w.stride.w + kw - in[2] - w.padding.left};
    const auto algorithm = node.kind == Kind::max_pool2d ? dnnl::algorithm::pooling_max
                           : node.count_include_pad      ? dnnl::algorithm::pooling_avg_include_padding
                                                         : dnnl::algorithm::pooling_avg_exclude_padding;
    stored(v) = stored(from);
    const dnnl::pooling_forward::primitive_desc desc(
        {kInference, algorithm, at(from).get_desc(), any(with_batch(node.shape), stored(v).type),
         memory::dims{w.stride.h, w.stride.w}, memory::dims{kh, kw},
         memory::dims{w.padding.top, w.padding.left}, over},
        engine_);
    push(dnnl::pooling_forward(desc), v, v, memory(desc.dst_desc(), engine_), {{DNNL_ARG_SRC, at(from)}});
  }

  void append_sum(std::int32_t v, const Node& node) {
    const std::int32_t made = with_rectifiers(graph_, v);
    dnnl::primitive_attr attr;
    dnnl::post_ops ops;
    add_rectifiers(ops, v, made);
    attr.set_post_ops(ops);
    if (int8_) {
      attr.set_scales(DNNL_ARG_SRC_0, 0, {stored(node.inputs[0]).scale / stored(made).scale});
      attr.set_scales(DNNL_ARG_SRC_1, 0, {stored(node.inputs[1]).scale / stored(made).scale});
    }
    const memory a = at(node.inputs[0]);
    memory::desc second = a.get_desc();
    second.data.data_type = at(node.inputs[1]).get_desc().data.data_type;
    const memory b = reordered(at(node.inputs[1]), second);
    const dnnl::binary::primitive_desc desc({dnnl::algorithm::binary_add, a.get_desc(), b.get_desc(),
                                             any(with_batch(node.shape), stored(made).type)},
                                            attr, engine_);
    push(dnnl::binary(desc), v, made, memory(desc.dst_desc(), engine_),
         {{DNNL_ARG_SRC_0, a}, {DNNL_ARG_SRC_1, b}});
  }

  void append_function(std::int32_t v, const Node& node) {
    const memory from = at(node.inputs.front());
    const auto algorithm = node.kind == Kind::relu      ? dnnl::algorithm::eltwise_relu
                           : node.kind == Kind::sigmoid ? dnnl::algorithm::eltwise_logistic
                                                        : dnnl::algorithm::eltwise_clip;
    const bool clips = node.kind == Kind::pointwise;
    stored(v) = stored(node.inputs.front());
    const dnnl::eltwise_forward::primitive_desc desc(
        {kInference, algorithm, from.get_desc(), clips ? std::numeric_limits<float>::lowest() : 0.0F,
         clips ? static_cast<float>(node.value) / stored(v).scale : 0.0F},
        engine_);
    push(dnnl::eltwise_forward(desc), v, v, memory(from.get_desc(), engine_), {{DNNL_ARG_SRC, from}});
  }

  const runtime::Graph& graph_;
  std::int64_t n_;
  bool int8_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::vector<Step> steps_;
  memory input_;
  std::vector<memory> at_;  // by value
  std::vector<Stored> stored_;
  std::vector<memory> kept_;  // what others point into
};

class OneDnnNetwork final : public Engine {
 public:
  explicit OneDnnNetwork(bool int8) : int8_(int8) {}
  void prepare(const PeerModel& model, std::int64_t batch, int) override {
    model_ = model;
    chain_ = std::make_unique<Chain>(model_, batch, int8_);
  }
  const float* run(const float* pixels, float*) override { return chain_->run(pixels); }

 private:
  bool int8_;
  PeerModel model_;
  std::unique_ptr<Chain> chain_;
};

}  // namespace

std::unique_ptr<Engine> make_onednn_network(bool int8) { return std::make_unique<OneDnnNetwork>(int8); }

std::string onednn_cannot(const PeerModel& model, bool int8) {
  const std::string why = missing_counterpart(model.graph);
  if (!why.empty()) return why;
  for (const Node& node : model.graph.nodes) {
    if (node.kind == Kind::concat || (int8 && node.kind == Kind::sigmoid))
      return concat("the bench has no primitive for ", node.name, ", ", to_string(node.kind));
  }
  return {};
}

}  // namespace cbnet::peers
