#include "models/network.h"

#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/pool.h"
#include "layers/residual.h"

namespace cbnet {
namespace {

/// Builds modules along the trunk, keeping track of the shape of one sample.
class Builder {
 public:
  Builder(Rng& weights, Rng& dropout, Init init, DType dtype)
      : weights_(weights), dropout_(dropout), init_(init), dtype_(dtype) {}

  std::shared_ptr<Sequential> sequence(const LayerSpecs& layers, Shape& shape) {
    auto out = std::make_shared<Sequential>();
    for (const LayerSpec& layer : layers) {
      out->append(module(layer, shape));
      shape = trunk_shape({"", shape, {layer}, {}, init_}, 1);
    }
    return out;
  }

 private:
  std::shared_ptr<Module> module(const LayerSpec& layer, const Shape& in) {
    switch (layer.kind) {
      case LayerKind::conv2d:
        return std::make_shared<Conv2d>(
            in.at(0), layer.out, layer.kernel_size, weights_,
            Conv2dOptions::square(layer.stride, layer.padding, layer.dilation, layer.groups), layer.bias,
            init_, dtype_);
      case LayerKind::linear:
        return std::make_shared<Linear>(in.at(0), layer.out, weights_, layer.bias, init_, dtype_);
      case LayerKind::max_pool2d:
        return std::make_shared<MaxPool2d>(pool_options(layer));
      case LayerKind::avg_pool2d:
        return std::make_shared<AvgPool2d>(pool_options(layer));
      case LayerKind::global_avg_pool2d:
        return std::make_shared<GlobalAvgPool2d>();
      case LayerKind::relu:
        return std::make_shared<Activation>(ActivationKind::relu);
      case LayerKind::leaky_relu:
        return std::make_shared<Activation>(ActivationKind::leaky_relu, layer.p);
      case LayerKind::sigmoid:
        return std::make_shared<Activation>(ActivationKind::sigmoid);
      case LayerKind::tanh:
        return std::make_shared<Activation>(ActivationKind::tanh);
      case LayerKind::softmax:
        return std::make_shared<Activation>(ActivationKind::softmax);
      case LayerKind::batch_norm:
        return std::make_shared<BatchNorm>(in.at(0), 0.1, 1e-5, dtype_);
      case LayerKind::dropout:
        return std::make_shared<Dropout>(layer.p, dropout_);
      case LayerKind::flatten:
        return std::make_shared<Flatten>();
      case LayerKind::unflatten:
        return std::make_shared<Unflatten>(layer.shape);
      case LayerKind::residual:
        break;
    }
    Shape body_shape = in;
    Shape shortcut_shape = in;
    auto body = sequence(layer.body, body_shape);
    return std::make_shared<Residual>(std::move(body), sequence(layer.shortcut, shortcut_shape));
  }

  static Pool2dOptions pool_options(const LayerSpec& layer) {
    return Pool2dOptions::square(layer.kernel_size, layer.stride, layer.padding, layer.dilation,
                                 layer.ceil_mode);
  }

  Rng& weights_;
  Rng& dropout_;
  Init init_;
  DType dtype_;
};

// Separate streams of one seed, so that a change to one use does not shift the other's numbers.
constexpr std::uint64_t kWeightStream = 1;
constexpr std::uint64_t kDropoutStream = 2;

/// Loads what `target` has under its own names from `source`, whose names start otherwise.
void copy_layers(const StateDict& source, const std::string& source_prefix, std::int64_t source_first,
                 std::int64_t target_first, std::int64_t count, StateDict& target) {
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string from = concat(source_prefix, source_first + i, ".");
    const std::string to = concat("trunk.", target_first + i, ".");
    for (const auto& [name, tensor] : source) {
      if (!name.starts_with(from)) continue;
      for (auto& [target_name, target_tensor] : target) {
        if (target_name == to + name.substr(from.size())) target_tensor.copy_from(tensor);
      }
    }
  }
}

}  // namespace

Network::Network(NetworkSpec spec, std::uint64_t seed, DType dtype)
    : spec_(std::move(spec)), dtype_(dtype), dropout_rng_(seed, kDropoutStream) {
  static_cast<void>(layer_costs(spec_));
  Rng weights(seed, kWeightStream);
  Builder builder(weights, dropout_rng_, spec_.init, dtype);
  Shape shape = spec_.input;
  trunk_ = register_module("trunk", builder.sequence(spec_.trunk, shape));
  for (std::size_t e = 0; e < spec_.exits.size(); ++e) {
    Shape at_exit = trunk_shape(spec_, spec_.exits[e].after);
    exits_.push_back(register_module(concat("exits.", e), builder.sequence(spec_.exits[e].branch, at_exit)));
  }
}

Variable Network::forward(const Variable& x) { return trunk_->forward(x); }

Variable Network::forward_trunk(const Variable& x, std::int64_t begin, std::int64_t end) {
  return trunk_->forward_range(x, static_cast<std::size_t>(begin), static_cast<std::size_t>(end));
}

std::vector<Variable> Network::forward_exits(const Variable& x) {
  std::vector<Variable> out;
  Variable at = x;
  std::int64_t done = 0;
  for (std::size_t e = 0; e < exits_.size(); ++e) {
    at = forward_trunk(at, done, spec_.exits[e].after);
    done = spec_.exits[e].after;
    out.push_back(forward_branch(e, at));
  }
  out.push_back(forward_trunk(at, done, static_cast<std::int64_t>(spec_.trunk.size())));
  return out;
}

std::unique_ptr<Network> truncate_at_exit(const Network& network, std::size_t e, std::string name) {
  const NetworkSpec& full = network.spec();
  require(e < full.exits.size(), "truncate", "'", full.name, "' has ", full.exits.size(),
          " side exits; got exit ", e);
  const ExitSpec& exit = full.exits[e];
  auto out =
      std::make_unique<Network>(truncate(full, exit.after, exit.branch, std::move(name)), 0, network.dtype());
  const StateDict source = network.state_dict();
  StateDict target = out->state_dict();
  copy_layers(source, "trunk.", 0, 0, exit.after, target);
  copy_layers(source, concat("exits.", e, "."), 0, exit.after, static_cast<std::int64_t>(exit.branch.size()),
              target);
  out->train(network.training());
  return out;
}

std::unique_ptr<Network> truncate_after(const Network& network, std::int64_t layers, const LayerSpecs& head,
                                        std::string name, std::uint64_t seed) {
  auto out = std::make_unique<Network>(truncate(network.spec(), layers, head, std::move(name)), seed,
                                       network.dtype());
  StateDict target = out->state_dict();
  copy_layers(network.state_dict(), "trunk.", 0, 0, layers, target);
  out->train(network.training());
  return out;
}

}  // namespace cbnet
