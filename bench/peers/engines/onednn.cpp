// oneDNN has primitives and memory made once, ReLU and sigmoid as post-ops, weights reordered once.
#include <dnnl.hpp>
#include <map>
#include <unordered_map>

#include "bench/peers/engines/onednn_network.h"
#include "tensor/error.h"

namespace cbnet::peers {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

memory::dims with_batch(std::int64_t n, const Shape& sample) {
  memory::dims dims = {n};
  dims.insert(dims.end(), sample.begin(), sample.end());
  return dims;
}

memory::desc plain(const memory::dims& dims) {
  return {dims, memory::data_type::f32, dims.size() == 4 ? Tag::nchw : Tag::nc};
}

memory::desc any(const memory::dims& dims) { return {dims, memory::data_type::f32, Tag::any}; }

/// Convolutions are asked for in layouts of the library's choice, or with outputs in blocks of channels
/// as wide as a vector, which its direct kernels write from plain pixels.
enum class Layout { any, blocked };

/// Runs a chain of primitives.
class Chain {
 public:
  Chain(const dnnl::engine& engine, Layout layout, std::int64_t n)
      : engine_(engine), layout_(layout), n_(n) {}

  /// `input` undefined: pixels, set before each run.
  void build(const std::vector<Layer>& given, const memory& input, const Shape& in, dnnl::stream& stream) {
    const std::vector<Layer> layers = relu_before_pool(given);
    at_ = input ? input : memory(plain(with_batch(n_, in)), engine_);
    input_ = at_;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const bool fuses =
          i + 1 < layers.size() && (layers[i + 1].is<kinds::Relu>() || layers[i + 1].is<kinds::Sigmoid>());
      const bool weighted = layers[i].weight.defined();
      dnnl::primitive_attr attr;
      if (weighted && fuses) {
        dnnl::post_ops ops;
        ops.append_eltwise(1.0F,
                           layers[i + 1].is<kinds::Relu>() ? dnnl::algorithm::eltwise_relu
                                                           : dnnl::algorithm::eltwise_logistic,
                           0.0F, 0.0F);
        attr.set_post_ops(ops);
      }
      append(layers[i], attr, stream);
      if (weighted && fuses) ++i;
    }
  }

  /// Ends in plain rows.
  void finish() {
    at_ = reordered(at_, plain(at_.get_desc().dims().size() == 4 ? flat_dims() : at_.get_desc().dims()));
  }

  void run(dnnl::stream& stream) {
    for (Step& step : steps_) step.primitive.execute(stream, step.args);
  }
  const memory& input() const { return input_; }
  const memory& output() const { return at_; }

 private:
  struct Step {
    dnnl::primitive primitive;
    std::unordered_map<int, memory> args;
  };

  memory::dims flat_dims() const {
    const memory::dims dims = at_.get_desc().dims();
    return {n_, dims[1] * dims[2] * dims[3]};
  }

  /// Returns the memory itself where it is laid out so, else that of a reorder.
  memory reordered(const memory& from, const memory::desc& to) {
    if (from.get_desc() == to) return from;
    memory out(to, engine_);
    steps_.push_back({dnnl::reorder(from, out), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, out}}});
    return out;
  }

  memory weights(const Tensor& tensor, const memory::dims& dims, const memory::desc& requested,
                 dnnl::stream& stream) {
    const Tag tag = dims.size() == 4 ? Tag::oihw : dims.size() == 2 ? Tag::oi : Tag::x;
    memory user({dims, memory::data_type::f32, tag}, engine_);
    std::copy_n(tensor.data<float>(), tensor.numel(), static_cast<float*>(user.get_data_handle()));
    if (user.get_desc() == requested) return user;
    memory out(requested, engine_);
    dnnl::reorder(user, out).execute(stream, user, out);
    stream.wait();
    return out;
  }

  void push(const dnnl::primitive& primitive, const memory& out, std::unordered_map<int, memory> args) {
    args.emplace(DNNL_ARG_DST, out);
    steps_.push_back({primitive, std::move(args)});
    at_ = out;
  }

  void append_convolution(const Layer& layer, const kinds::Conv2d& conv, const dnnl::primitive_attr& attr,
                          dnnl::stream& stream) {
    const memory::dims in = with_batch(n_, layer.in), out = with_batch(n_, layer.out);
    const std::int64_t k = conv.kernel_size.h, s = conv.stride.h, p = conv.padding.top;
    const memory::dims w = {layer.out[0], layer.in[0], k, k}, b = {layer.out[0]};
    const Tag blocks =
        dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core ? Tag::nChw16c : Tag::nChw8c;
    const bool blocked = layout_ == Layout::blocked;
    const memory::desc src = blocked ? plain(in) : any(in);
    const memory::desc dst = blocked ? memory::desc(out, memory::data_type::f32, blocks) : any(out);
    const dnnl::convolution_forward::primitive_desc desc({dnnl::prop_kind::forward_inference,
                                                          dnnl::algorithm::convolution_direct,
                                                          src,
                                                          any(w),
                                                          any(b),
                                                          dst,
                                                          {s, s},
                                                          {p, p},
                                                          {p, p}},
                                                         attr, engine_);
    const memory x = reordered(at_, desc.src_desc());
    push(dnnl::convolution_forward(desc), memory(desc.dst_desc(), engine_),
         {{DNNL_ARG_SRC, x},
          {DNNL_ARG_WEIGHTS, weights(layer.weight, w, desc.weights_desc(), stream)},
          {DNNL_ARG_BIAS, weights(layer.bias, b, desc.bias_desc(), stream)}});
  }

  void append_linear(const Layer& layer, const dnnl::primitive_attr& attr, dnnl::stream& stream) {
    const memory::dims in = at_.get_desc().dims(), out = with_batch(n_, layer.out), b = {layer.out[0]};
    memory::dims w = in;
    w[0] = layer.out[0];
    const dnnl::inner_product_forward::primitive_desc desc(
        {dnnl::prop_kind::forward_inference, any(in), any(w), any(b), any(out)}, attr, engine_);
    const memory x = reordered(at_, desc.src_desc());
    push(dnnl::inner_product_forward(desc), memory(desc.dst_desc(), engine_),
         {{DNNL_ARG_SRC, x},
          {DNNL_ARG_WEIGHTS, weights(layer.weight, w, desc.weights_desc(), stream)},
          {DNNL_ARG_BIAS, weights(layer.bias, b, desc.bias_desc(), stream)}});
  }

  void append(const Layer& layer, const dnnl::primitive_attr& attr, dnnl::stream& stream) {
    const memory::dims out = with_batch(n_, layer.out);
    const auto eltwise = [&](dnnl::algorithm algorithm) {
      const dnnl::eltwise_forward::primitive_desc desc(
          {dnnl::prop_kind::forward_inference, algorithm, at_.get_desc(), 0.0F, 0.0F}, engine_);
      push(dnnl::eltwise_forward(desc), at_, {{DNNL_ARG_SRC, at_}});
    };
    if (const auto* conv = layer.as<kinds::Conv2d>()) {
      append_convolution(layer, *conv, attr, stream);
    } else if (layer.is<kinds::Linear>()) {
      append_linear(layer, attr, stream);
    } else if (const auto* pool = layer.as<kinds::MaxPool2d>()) {
      const std::int64_t k = pool->kernel_size.h, s = pool->stride.h;
      // The number of windows is rounded up: the last one hangs over the edge.
      const memory::dims over = {(layer.out[1] - 1) * s + k - layer.in[1],
                                 (layer.out[2] - 1) * s + k - layer.in[2]};
      const dnnl::pooling_forward::primitive_desc desc({dnnl::prop_kind::forward_inference,
                                                        dnnl::algorithm::pooling_max,
                                                        at_.get_desc(),
                                                        any(out),
                                                        {s, s},
                                                        {k, k},
                                                        {0, 0},
                                                        over},
                                                       engine_);
      push(dnnl::pooling_forward(desc), memory(desc.dst_desc(), engine_), {{DNNL_ARG_SRC, at_}});
    } else if (layer.is<kinds::Relu>()) {
      eltwise(dnnl::algorithm::eltwise_relu);
    } else if (layer.is<kinds::Sigmoid>()) {
      eltwise(dnnl::algorithm::eltwise_logistic);
    } else if (layer.is<kinds::Unflatten>()) {
      at_ = reordered(at_, plain(at_.get_desc().dims()));
      at_ = memory(plain(out), engine_, at_.get_data_handle());
    } else if (layer.in[0] == 1) {
      // This is flatten: a linear layer reads images as they lie; one pixel plane is a row already.
      at_ = memory(plain(out), engine_, at_.get_data_handle());
      rename_input();
    }
  }

  void rename_input() {
    if (steps_.empty()) input_ = at_;
  }

  dnnl::engine engine_;
  Layout layout_;
  std::int64_t n_;
  std::vector<Step> steps_;
  memory input_, at_;
};

template <Layout layout>
class OneDnn final : public Engine {
 public:
  void prepare(const PeerModel& model, std::int64_t batch, int) override {
    width_ = model.width;
    batch_ = batch;
    threshold_ = model.threshold;
    trunk_ = std::make_unique<Chain>(engine_, layout, batch);
    trunk_->build(model.trunk, {}, model.spec.input, stream_);
    if (!model.has_exit()) {
      trunk_->finish();
      return;
    }
    const auto after_trunk = [&](const std::vector<Layer>& layers) {
      auto chain = std::make_unique<Chain>(engine_, layout, batch);
      chain->build(layers, trunk_->output(), layers.front().in, stream_);
      chain->finish();
      return chain;
    };
    branch_ = after_trunk(model.branch);
    rest_ = after_trunk(model.rest);
  }

  const float* run(const float* pixels, float*) override {
    trunk_->input().set_data_handle(const_cast<float*>(pixels));
    trunk_->run(stream_);
    const Chain* last = trunk_.get();
    if (branch_) {
      branch_->run(stream_);
      last = branch_.get();
      stream_.wait();
      if (softmax_entropy(static_cast<const float*>(branch_->output().get_data_handle()), width_) >=
          threshold_) {
        rest_->run(stream_);
        last = rest_.get();
      }
    }
    stream_.wait();
    return static_cast<const float*>(last->output().get_data_handle());
  }

 private:
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::unique_ptr<Chain> trunk_, branch_, rest_;
  std::int64_t width_ = 0, batch_ = 0;
  double threshold_ = 0.0;
};

template <Layout layout>
Variant variant(const char* name, const char* setup, bool (*takes)(const PeerModel&, std::int64_t)) {
  return {name, "fp32", setup, takes,
          []() -> std::unique_ptr<Engine> { return std::make_unique<OneDnn<layout>>(); }};
}

}  // namespace

EngineInfo engine_info() {
  const dnnl::version_t* v = dnnl::version();
  const auto no_sequence = [](const PeerModel&, std::int64_t) { return false; };
  return {"onednn",
          concat(v->major, ".", v->minor, ".", v->patch),
          {variant<Layout::any>(
               "any", "memory formats left to the library, post-ops fused",
               [](const PeerModel& model, std::int64_t batch) { return !model.has_exit() || batch == 1; }),
           variant<Layout::blocked>("blocked", "convolution outputs in blocks of channels, post-ops fused",
                                    [](const PeerModel& model, std::int64_t batch) {
                                      return model.has<kinds::Conv2d>() && (!model.has_exit() || batch == 1);
                                    }),
           {"network", "fp32", "memory formats left to the library, post-ops fused", no_sequence,
            [] { return make_onednn_network(false); }, false,
            [](const PeerModel& model) { return onednn_cannot(model, false); }},
           {"network-int8", "int8", "u8 by s8, memory formats left to the library, post-ops fused",
            no_sequence, [] { return make_onednn_network(true); }, false,
            [](const PeerModel& model) { return onednn_cannot(model, true); }}}};
}

}  // namespace cbnet::peers
