#include "bench/peers/model.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/tape.h"
#include "bench/networks.h"
#include "tensor/error.h"

namespace cbnet::peers {
namespace {

constexpr std::int64_t kThresholdImages = 64;

NetworkSpec spec_of(const std::string& name) {
  const bench::BenchNetwork network = bench::make_network(name, 0);
  const NetworkSpec& last = network.network->spec();
  return network.converter ? joined(name, network.converter->spec(), last) : last;
}

const Tensor* find(const StateDict& weights, const std::string& name) {
  for (const auto& [key, tensor] : weights) {
    if (key == name) return &tensor;
  }
  return nullptr;
}

/// Tells whether every engine has a counterpart for the layer.
bool is_common(const LayerSpec& layer) {
  const auto is_square = [](const auto& window) {
    return window.kernel_size.is_square() && window.stride.is_square() &&
           window.padding == window.padding.top && window.dilation == 1;
  };
  if (!layer.inputs.empty()) return false;
  if (const auto* conv = layer.as<kinds::Conv2d>())
    return is_square(*conv) && conv->groups == 1 && conv->bias;
  if (const auto* pool = layer.as<kinds::MaxPool2d>()) return is_square(*pool) && pool->padding.is_none();
  if (const auto* linear = layer.as<kinds::Linear>()) return linear->bias;
  return layer.is<kinds::Relu>() || layer.is<kinds::Sigmoid>() || layer.is<kinds::Flatten>() ||
         layer.is<kinds::Unflatten>();
}

std::vector<Layer> layers_of(const LayerSpecs& specs, const Shape& input, const std::string& list,
                             const StateDict& weights) {
  const std::vector<Shape> shapes = shapes_along(specs, input);
  std::vector<Layer> out;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const std::string name = concat(list, i);
    require(is_common(specs[i]), "peers", "not every engine has a counterpart for ", name, ": ",
            describe(specs[i]));
    Layer layer{specs[i], shapes[i], shapes[i + 1]};
    if (const Tensor* weight = find(weights, name + ".weight")) layer.weight = *weight;
    if (const Tensor* bias = find(weights, name + ".bias")) layer.bias = *bias;
    out.push_back(std::move(layer));
  }
  return out;
}

/// Returns the entropy between the images that leave and the `stay` that stay; where several are about as
/// near, the widest gap, so that no rounding error moves an image across.
double threshold_for(std::vector<double> entropies, double hard_share) {
  std::sort(entropies.begin(), entropies.end());
  const auto n = static_cast<std::int64_t>(entropies.size());
  const std::int64_t leave = n - std::llround(hard_share * static_cast<double>(n));
  if (leave <= 0) return 0.0;
  if (leave >= n) return entropies.back() + 1.0;
  const auto at = static_cast<std::size_t>(leave);
  return (entropies[at - 1] + entropies[at]) / 2;
}

std::vector<std::vector<double>> rows(const Tensor& values) {
  const std::vector<double> all = values.to_vector<double>();
  const auto width = static_cast<std::size_t>(values.numel() / values.size(0));
  std::vector<std::vector<double>> out;
  for (std::size_t i = 0; i < all.size(); i += width) {
    out.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(i),
                     all.begin() + static_cast<std::ptrdiff_t>(i + width));
  }
  return out;
}

/// Computes in T, as an engine would.
template <class T>
double entropy(const T* logits, std::int64_t n) {
  const T top = *std::max_element(logits, logits + n);
  T sum = 0, weighted = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const T d = logits[i] - top;
    const T e = std::exp(d);
    sum += e;
    weighted += e * d;
  }
  return static_cast<double>(std::log(sum) - weighted / sum);
}

std::unique_ptr<Network> network_f64(const PeerModel& model) {
  auto network = std::make_unique<Network>(model.spec, 0, DType::f64);
  StateDict state = network->state_dict();
  for (auto& [name, tensor] : state) tensor.copy_from(*find(model.weights, name));
  network->eval();
  return network;
}

double macs_without_padding(const Layer& layer) {
  const auto* conv = layer.as<kinds::Conv2d>();
  if (conv == nullptr) return static_cast<double>(layer.weight.defined() ? layer.weight.numel() : 0);
  // Counts the taps that meet a pixel, along one axis.
  const auto taps = [&](std::int64_t in, std::int64_t out) {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < out; ++i) {
      for (std::int64_t k = 0; k < conv->kernel_size.h; ++k) {
        const std::int64_t at = i * conv->stride.h + k - conv->padding.top;
        if (at >= 0 && at < in) ++count;
      }
    }
    return count;
  };
  return static_cast<double>(layer.in[0] * layer.out[0] * taps(layer.in[1], layer.out[1]) *
                             taps(layer.in[2], layer.out[2]));
}

}  // namespace

NetworkSpec joined(const std::string& name, NetworkSpec autoencoder, const NetworkSpec& classifier) {
  autoencoder.name = name;
  autoencoder.trunk.push_back(kinds::Unflatten{autoencoder.input});
  autoencoder.trunk.insert(autoencoder.trunk.end(), classifier.trunk.begin(), classifier.trunk.end());
  return autoencoder;
}

PeerModel peer_model(std::string name, NetworkSpec spec, StateDict weights, double threshold) {
  PeerModel model{std::move(name), std::move(spec), std::move(weights), {}, {}, {}, threshold, 0, {}};
  model.trunk = layers_of(model.spec.trunk, model.spec.input, "trunk.", model.weights);
  model.width = numel(model.trunk.back().out);
  if (!model.spec.exits.empty()) {
    const ExitSpec& exit = model.spec.exits.front();
    const auto at = model.trunk.begin() + exit.after;
    model.rest.assign(at, model.trunk.end());
    model.trunk.erase(at, model.trunk.end());
    model.branch = layers_of(exit.branch, model.trunk.back().out, "exits.0.", model.weights);
  }
  return model;
}

Tensor images(std::uint64_t seed, std::int64_t n) {
  constexpr std::uint64_t kImageStream = 7;
  Rng rng(seed, kImageStream);
  Tensor pixels = Tensor::empty({n, 1, 28, 28});
  float* p = pixels.data<float>();
  for (std::int64_t i = 0; i < n; ++i) {
    const double contrast = 0.1 + 0.9 * rng.uniform();
    for (std::int64_t k = 0; k < 28 * 28; ++k) *p++ = static_cast<float>(contrast * rng.uniform());
  }
  return pixels;
}

PeerModel make_model(const std::string& name, std::uint64_t seed, double hard_share) {
  require(hard_share >= 0.0 && hard_share <= 1.0, "peers", "a fraction is from 0 to 1; got ", hard_share);
  const NetworkSpec spec = spec_of(name);
  constexpr std::uint64_t kBiasStream = 8;
  Rng rng(seed, kBiasStream);
  StateDict weights;
  for (const auto& [key, tensor] : Network(spec, seed).state_dict()) {
    weights.emplace_back(
        key, key.ends_with("bias") ? Tensor::normal(tensor.shape(), 0.0, 0.1, rng) : tensor.clone());
  }
  PeerModel model = peer_model(name, spec, std::move(weights), 0.0);
  if (model.has_exit()) {
    const NoGrad no_grad;
    const auto network = network_f64(model);
    const Variable pixels(images(seed, kThresholdImages).to(DType::f64));
    std::vector<double> entropies;
    for (const auto& logits : rows(network->forward_exits(pixels).front().value()))
      entropies.push_back(entropy(logits.data(), model.width));
    model.threshold = threshold_for(std::move(entropies), hard_share);
  }
  return model;
}

PeerModel folded(const PeerModel& model) {
  if (model.is_graph()) return model;  // as it is, folded
  NetworkSpec spec = model.spec;
  StateDict weights = model.weights;
  for (std::size_t i = 0; i + 1 < spec.trunk.size(); ++i) {
    if (!spec.trunk[i].is<kinds::Linear>() || !spec.trunk[i + 1].is<kinds::Linear>()) continue;
    const auto name = [](std::size_t layer, const char* part) { return concat("trunk.", layer, part); };
    const Tensor a = *find(weights, name(i, ".weight")), b = *find(weights, name(i + 1, ".weight"));
    const std::int64_t in = a.size(1), mid = a.size(0), out = b.size(0);
    if (in * out >= in * mid + mid * out) continue;
    // y = B (A x + p) + q = (B A) x + (B p + q), summed in f64.
    const std::vector<double> wa = a.to_vector<double>(), wb = b.to_vector<double>();
    const auto p = find(weights, name(i, ".bias"))->to_vector<double>();
    auto bias = find(weights, name(i + 1, ".bias"))->to_vector<double>();
    std::vector<double> weight(static_cast<std::size_t>(in * out), 0.0);
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t m = 0; m < mid; ++m) {
        const double factor = wb[static_cast<std::size_t>(o * mid + m)];
        bias[static_cast<std::size_t>(o)] += factor * p[static_cast<std::size_t>(m)];
        for (std::int64_t k = 0; k < in; ++k)
          weight[static_cast<std::size_t>(o * in + k)] += factor * wa[static_cast<std::size_t>(m * in + k)];
      }
    }
    StateDict fewer;
    for (const auto& [key, tensor] : weights) {
      const bool trunk = key.starts_with("trunk.");
      const std::size_t layer = trunk ? std::stoul(key.substr(6)) : 0;
      if (!trunk || layer < i)
        fewer.emplace_back(key, tensor);
      else if (layer > i + 1)
        fewer.emplace_back(name(layer - 1, key.substr(key.rfind('.')).c_str()), tensor);
    }
    fewer.emplace_back(name(i, ".weight"), Tensor::from(weight, {out, in}).to(DType::f32));
    fewer.emplace_back(name(i, ".bias"), Tensor::from(bias, {out}).to(DType::f32));
    weights = std::move(fewer);
    spec.trunk[i] = spec.trunk[i + 1];
    spec.trunk.erase(spec.trunk.begin() + static_cast<std::ptrdiff_t>(i + 1));
    --i;  // the new layer may fold with the next
  }
  PeerModel out = peer_model(model.name, std::move(spec), std::move(weights), model.threshold);
  out.calibration = model.calibration;
  return out;
}

ModelCost cost_of(const PeerModel& model, double hard_share) {
  ModelCost cost;
  for (const runtime::Node& node : model.graph.nodes) {
    cost.macs += static_cast<double>(node_macs(model.graph, node));
    cost.weight_bytes += static_cast<double>(node_weight_bytes(node));
  }
  if (model.is_graph()) cost.byte_macs = cost.macs, cost.byte_weight_bytes = cost.weight_bytes;
  const auto add = [&](const std::vector<Layer>& layers, double fraction) {
    for (const Layer& layer : layers) {
      if (!layer.weight.defined()) continue;
      const bool dense = layer.is<kinds::Linear>();
      const double positions = dense ? 1.0 : static_cast<double>(layer.out[1] * layer.out[2]);
      const double macs = fraction * positions * static_cast<double>(layer.weight.numel());
      const double bytes = fraction * 4.0 * static_cast<double>(layer.weight.numel() + layer.bias.numel());
      cost.macs += macs;
      cost.macs_without_padding += fraction * macs_without_padding(layer);
      cost.weight_bytes += bytes;
      if (dense) cost.byte_macs += macs, cost.byte_weight_bytes += bytes;
    }
  };
  add(model.trunk, 1.0);
  add(model.branch, 1.0);
  add(model.rest, hard_share);
  return cost;
}

std::vector<double> reference(const PeerModel& model, const Tensor& pixels) {
  const NoGrad no_grad;
  const auto network = network_f64(model);
  const Variable x(pixels.to(DType::f64));
  if (!model.has_exit()) return network->forward(x).value().to_vector<double>();
  const std::vector<Variable> exits = network->forward_exits(x);
  const auto early = rows(exits[0].value()), late = rows(exits[1].value());
  std::vector<double> out;
  for (std::size_t i = 0; i < early.size(); ++i) {
    const auto& row = entropy(early[i].data(), model.width) < model.threshold ? early[i] : late[i];
    out.insert(out.end(), row.begin(), row.end());
  }
  return out;
}

std::vector<Layer> relu_before_pool(std::vector<Layer> layers) {
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) {
    if (!layers[i].is<kinds::MaxPool2d>() || !layers[i + 1].is<kinds::Relu>()) continue;
    std::swap(layers[i], layers[i + 1]);
    layers[i].in = layers[i].out = layers[i + 1].in;
  }
  return layers;
}

double softmax_entropy(const float* logits, std::int64_t n) { return entropy(logits, n); }

}  // namespace cbnet::peers
