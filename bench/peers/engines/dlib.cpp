// dlib has networks as types, without a loss layer; BLAS beneath.
#include <dlib/dnn.h>
#include <dlib/revision.h>

#include <algorithm>

#include "bench/peers/engine.h"
#include "tensor/error.h"

extern "C" void openblas_set_num_threads(int);

namespace cbnet::peers {
namespace {

// dlib's max-pool rounds sizes down. With a padding of one, its windows over an odd side begin one pixel
// early, where ours end one pixel late: mirrored, they are the same. So images, convolution kernels and what
// reads the last feature map are mirrored, and the results are the same.

using Input = dlib::input<dlib::matrix<float>>;

template <long side, class S>
using pool = dlib::add_layer<dlib::max_pool_<2, 2, 2, 2, side % 2, side % 2>, S>;
/// A stage is a convolution, a max-pool of a map of `side` pixels and a ReLU.
template <int channels, int kernel, int padding, long side, class S>
using stage =
    dlib::relu<pool<side, dlib::add_layer<dlib::con_<channels, kernel, kernel, 1, 1, padding, padding>, S>>>;

template <class S>
using trunk = stage<20, 5, 3, 11, stage<10, 5, 3, 17, stage<5, 5, 3, 30, S>>>;
template <class S>
using early = dlib::fc<10, stage<10, 3, 1, 15, stage<5, 5, 3, 30, S>>>;
template <class S>
using encoder_mnist = dlib::fc<32, dlib::relu<dlib::fc<384, dlib::relu<dlib::fc<784, S>>>>>;
template <class S>
using encoder_fmnist = dlib::fc<128, dlib::relu<dlib::fc<256, dlib::relu<dlib::fc<512, S>>>>>;
template <class S>
using encoder_kmnist = dlib::fc<32, dlib::fc<384, dlib::relu<dlib::fc<512, S>>>>;
template <class S>
using encoder_kmnist_folded = dlib::fc<32, dlib::relu<dlib::fc<512, S>>>;
template <class S>
using decoded = dlib::sig<dlib::fc<784, S>>;
template <class S>
using image = dlib::add_layer<dlib::extract_<0, 1, 28, 28>, S>;

/// A layer may read or make features (c, h, w) that are mirrored in h and w.
struct Mirror {
  bool inputs = false, outputs = false;
  Shape in_map, out_map;
};

std::size_t mirrored(std::size_t i, const Shape& map) {
  const auto area = static_cast<std::size_t>(map[1] * map[2]);
  return i / area * area + (area - 1 - i % area);
}

void fill_linear(const Layer& layer, const Mirror& mirror, float* params) {
  const auto in = static_cast<std::size_t>(layer.weight.size(1)),
             out = static_cast<std::size_t>(layer.weight.size(0));
  for (std::size_t o = 0; o < out; ++o) {
    const std::size_t to = mirror.outputs ? mirrored(o, mirror.out_map) : o;
    for (std::size_t i = 0; i < in; ++i) {
      const std::size_t from = mirror.inputs ? mirrored(i, mirror.in_map) : i;
      params[from * out + to] = layer.weight.data<float>()[o * in + i];
    }
    params[in * out + to] = layer.bias.data<float>()[o];
  }
}

void fill_convolution(const Layer& layer, float* params) {
  const auto area = static_cast<std::size_t>(layer.weight.size(2) * layer.weight.size(3));
  const auto count = static_cast<std::size_t>(layer.weight.numel());
  for (std::size_t i = 0; i < count; ++i)
    params[i / area * area + (area - 1 - i % area)] = layer.weight.data<float>()[i];
  std::copy_n(layer.bias.data<float>(), layer.bias.numel(), params + count);
}

template <class Net>
class Dlib final : public Engine {
 public:
  void prepare(const PeerModel& model, std::int64_t batch, int threads) override {
    openblas_set_num_threads(threads);
    dlib::matrix<float> blank(28, 28);
    blank = 0;
    const std::vector<dlib::matrix<float>> blanks(static_cast<std::size_t>(batch), blank);
    net_.to_tensor(blanks.begin(), blanks.end(), x_);
    mirrors_input_ = model.trunk.front().is<kinds::Conv2d>();
    net_.forward(x_);            // gives its layers their sizes
    std::vector<float*> params;  // the last layer first
    dlib::visit_computational_layers(net_, [&](auto& layer) {
      if (layer.get_layer_params().size() > 0) params.push_back(layer.get_layer_params().host());
    });
    fill(model, params);
  }

  const float* run(const float* pixels, float*) override {
    float* x = x_.host_write_only();
    if (mirrors_input_) {
      for (std::size_t i = 0; i < x_.size(); i += 784) std::reverse_copy(pixels + i, pixels + i + 784, x + i);
    } else {
      std::copy_n(pixels, x_.size(), x);
    }
    return net_.forward(x_).host();
  }

 private:
  void fill(const PeerModel& model, const std::vector<float*>& params) const {
    std::size_t left = params.size();
    for (std::size_t i = 0; i < model.trunk.size(); ++i) {
      const Layer& layer = model.trunk[i];
      if (!layer.weight.defined()) continue;
      require(left > 0, "dlib", "the network's type has fewer weights than ", model.name);
      float* to = params[--left];
      if (layer.is<kinds::Conv2d>()) {
        fill_convolution(layer, to);
        continue;
      }
      Mirror mirror;
      mirror.inputs = i > 1 && model.trunk[i - 1].is<kinds::Flatten>();
      if (mirror.inputs) mirror.in_map = model.trunk[i - 1].in;
      mirror.outputs = i + 2 < model.trunk.size() && model.trunk[i + 2].is<kinds::Unflatten>();
      if (mirror.outputs) mirror.out_map = model.trunk[i + 2].out;
      fill_linear(layer, mirror, to);
    }
    require(left == 0, "dlib", "the network's type has more weights than ", model.name);
  }

  Net net_;
  dlib::resizable_tensor x_;
  bool mirrors_input_ = false;
};

/// Picks the type by the model's name and whether it is folded.
class Dispatch final : public Engine {
 public:
  void prepare(const PeerModel& model, std::int64_t batch, int threads) override {
    const std::string dataset = model.name.substr(model.name.find('-') + 1);
    const bool cbnet = model.name.starts_with("cbnet");
    const bool less = model.trunk.size() < reference_layers(model);
    if (model.name == "lenet" && less)
      make<dlib::fc<10, trunk<Input>>>();
    else if (model.name == "lenet")
      make<dlib::fc<10, dlib::fc<84, trunk<Input>>>>();
    else if (model.name == "classifier")
      make<early<Input>>();
    else if (dataset == "mnist" && cbnet)
      make<early<image<decoded<encoder_mnist<Input>>>>>();
    else if (dataset == "mnist")
      make<decoded<encoder_mnist<Input>>>();
    else if (dataset == "fmnist" && cbnet)
      make<early<image<decoded<encoder_fmnist<Input>>>>>();
    else if (dataset == "fmnist")
      make<decoded<encoder_fmnist<Input>>>();
    else if (less && cbnet)
      make<early<image<decoded<encoder_kmnist_folded<Input>>>>>();
    else if (less)
      make<decoded<encoder_kmnist_folded<Input>>>();
    else if (cbnet)
      make<early<image<decoded<encoder_kmnist<Input>>>>>();
    else
      make<decoded<encoder_kmnist<Input>>>();
    engine_->prepare(model, batch, threads);
  }
  const float* run(const float* pixels, float* out) override { return engine_->run(pixels, out); }

 private:
  template <class Net>
  void make() {
    engine_ = std::make_unique<Dlib<Net>>();
  }
  static std::size_t reference_layers(const PeerModel& model) {
    return make_model(model.name, 0, 0.0).trunk.size();
  }
  std::unique_ptr<Engine> engine_;
};

}  // namespace

EngineInfo engine_info() {
  return {"dlib",
          concat(DLIB_MAJOR_VERSION, ".", DLIB_MINOR_VERSION),
          {{"dnn", "fp32", "network without a loss layer; Debian's build",
            [](const PeerModel& model, std::int64_t) { return !model.has_exit(); },
            []() -> std::unique_ptr<Engine> { return std::make_unique<Dispatch>(); }}},
          /*openmp_blas=*/true};
}

}  // namespace cbnet::peers
