// tiny-dnn is header only, and compiled with its AVX kernels and OpenMP.
#include <tiny_dnn/tiny_dnn.h>

#include "bench/peers/engine.h"
#include "tensor/error.h"

namespace cbnet::peers {
namespace {

using tiny_dnn::serial_size_t;
using tiny_dnn::shape3d;
using tiny_dnn::tensor_t;
using tiny_dnn::vec_t;
namespace activation = tiny_dnn::activation;

serial_size_t size(std::int64_t value) { return static_cast<serial_size_t>(value); }
shape3d shape(const Shape& s) { return {size(s[2]), size(s[1]), size(s[0])}; }

/// Puts zeros around an image: tiny-dnn pads by half a kernel at most, these models by more.
class Pad final : public tiny_dnn::feedforward_layer<activation::identity> {
 public:
  Pad(const shape3d& in, serial_size_t padding)
      : feedforward_layer({tiny_dnn::vector_type::data}),
        in_(in),
        out_(in.width_ + 2 * padding, in.height_ + 2 * padding, in.depth_),
        padding_(padding) {}

  std::vector<shape3d> in_shape() const override { return {in_}; }
  std::vector<shape3d> out_shape() const override { return {out_, out_}; }
  std::string layer_type() const override { return "pad"; }

  void forward_propagation(const std::vector<tensor_t*>& in, std::vector<tensor_t*>& out) override {
    for (std::size_t n = 0; n < in[0]->size(); ++n) {
      vec_t& to = (*out[1])[n];
      std::fill(to.begin(), to.end(), 0.0F);
      for (serial_size_t c = 0; c < in_.depth_; ++c) {
        for (serial_size_t y = 0; y < in_.height_; ++y)
          std::copy_n(&(*in[0])[n][in_.get_index(0, y, c)], in_.width_,
                      &to[out_.get_index(padding_, y + padding_, c)]);
      }
    }
    forward_activation(*out[0], *out[1]);
  }
  void back_propagation(const std::vector<tensor_t*>&, const std::vector<tensor_t*>&, std::vector<tensor_t*>&,
                        std::vector<tensor_t*>&) override {
    throw std::logic_error("[tiny-dnn] inference only");
  }

 private:
  shape3d in_, out_;
  serial_size_t padding_;
};

class TinyDnn final : public Engine {
 public:
  void prepare(const PeerModel& model, std::int64_t batch, int) override {
    batch_ = static_cast<std::size_t>(batch);
    const auto layers = relu_before_pool(model.trunk);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const bool joined = i + 1 < layers.size() && layers[i].weight.defined() &&
                          (layers[i + 1].is<kinds::Relu>() || layers[i + 1].is<kinds::Sigmoid>());
      if (!joined) {
        append<activation::identity>(layers[i]);
      } else if (layers[++i].is<kinds::Relu>()) {
        append<activation::relu>(layers[i - 1]);
      } else {
        append<activation::sigmoid>(layers[i - 1]);
      }
    }
    net_.weight_init(tiny_dnn::weight_init::constant(0.0F));
    net_.bias_init(tiny_dnn::weight_init::constant(0.0F));
    net_.init_weight();
    std::size_t at = 0;
    for (const Layer& layer : layers) {
      if (layer.weight.defined()) fill(layer, next_weights(at));
    }
    net_.set_netphase(tiny_dnn::net_phase::test);
    in_.assign(batch_, tensor_t(1, vec_t(784)));
  }

  const float* run(const float* pixels, float* out) override {
    for (std::size_t n = 0; n < batch_; ++n) std::copy_n(pixels + 784 * n, 784, in_[n][0].data());
    float* to = out;
    for (const tensor_t& y : net_.predict(in_)) to = std::copy(y[0].begin(), y[0].end(), to);
    return out;
  }

 private:
  template <class Activation>
  void append(const Layer& layer) {
    const auto backend = tiny_dnn::core::backend_t::avx;
    if (const auto* conv = layer.as<kinds::Conv2d>()) {
      const shape3d in = shape(layer.in);
      const serial_size_t k = size(conv->kernel_size.h), p = size(conv->padding.top);
      net_ << Pad(in, p)
           << tiny_dnn::convolutional_layer<Activation>(in.width_ + 2 * p, in.height_ + 2 * p, k, in.depth_,
                                                        size(layer.out[0]), tiny_dnn::padding::valid, true, 1,
                                                        1, backend);
    } else if (layer.is<kinds::MaxPool2d>()) {
      const shape3d in = shape(layer.in);
      net_ << tiny_dnn::max_pooling_layer<activation::identity>(in.width_, in.height_, in.depth_, 2, 2, 2, 2,
                                                                tiny_dnn::padding::same, backend);
    } else if (layer.is<kinds::Linear>()) {
      net_ << tiny_dnn::fully_connected_layer<Activation>(size(layer.weight.size(1)),
                                                          size(layer.weight.size(0)), true, backend);
    } else if (!layer.is<kinds::Flatten>() && !layer.is<kinds::Unflatten>()) {
      throw std::invalid_argument("[tiny-dnn] an activation goes behind a layer with weights");
    }
  }

  std::vector<vec_t*> next_weights(std::size_t& at) {
    while (net_[at]->weights().empty()) ++at;
    return net_[at++]->weights();
  }

  static void fill(const Layer& layer, const std::vector<vec_t*>& to) {
    const float* w = layer.weight.data<float>();
    std::copy_n(layer.bias.data<float>(), layer.bias.numel(), to.at(1)->data());
    if (layer.is<kinds::Conv2d>()) {
      std::copy_n(w, layer.weight.numel(), to.at(0)->data());
      return;
    }
    const std::int64_t out = layer.weight.size(0), in = layer.weight.size(1);
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t i = 0; i < in; ++i)
        (*to.at(0))[static_cast<std::size_t>(i * out + o)] = w[o * in + i];
    }
  }

  tiny_dnn::network<tiny_dnn::sequential> net_;
  std::size_t batch_ = 0;
  std::vector<tensor_t> in_;
};

}  // namespace

EngineInfo engine_info() {
  // Its linear layers walk the weights with a stride: a second a batch of 1,024 would tell no more.
  const auto takes = [](const PeerModel& model, std::int64_t batch) {
    const bool dense = model.trunk.front().is<kinds::Flatten>();
    return !model.has_exit() && (!dense || batch <= 64);
  };
  return {"tiny-dnn",
          "1.0.0a3",
          {{"avx", "fp32", "AVX kernels, OpenMP; padding by a layer of the bench", takes,
            []() -> std::unique_ptr<Engine> { return std::make_unique<TinyDnn>(); }}}};
}

}  // namespace cbnet::peers
