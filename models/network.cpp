#include "models/network.h"

namespace cbnet {
namespace {

constexpr std::uint64_t kWeightStream = 1;
constexpr std::uint64_t kDropoutStream = 2;

/// Copies the first `count` layers of a list of `source` to those of the trunk of `target` from
/// `target_first` on.
void copy_layers(const StateDict& source, const std::string& source_prefix, std::int64_t count,
                 std::int64_t target_first, StateDict& target) {
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string from = concat(source_prefix, i, ".");
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
  const Randomness from{weights, dropout_rng_};
  const auto list = [&](const LayerSpecs& layers, const Shape& input) {
    return std::make_shared<LayerList>(layers, input, from, spec_.init, dtype);
  };
  trunk_ = register_module("trunk", list(spec_.trunk, spec_.input));
  for (std::size_t e = 0; e < spec_.exits.size(); ++e) {
    const ExitSpec& exit = spec_.exits[e];
    exits_.push_back(register_module(concat("exits.", e), list(exit.branch, trunk_shape(spec_, exit.after))));
  }
  to(compute_device());
}

Device Network::device() const {
  const std::vector<Variable> all = parameters();
  return all.empty() ? compute_device() : all.front().value().device();
}

Variable Network::input(const Tensor& x) const { return Variable(x.to(device())); }

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
  copy_layers(source, "trunk.", exit.after, 0, target);
  copy_layers(source, concat("exits.", e, "."), static_cast<std::int64_t>(exit.branch.size()), exit.after,
              target);
  out->train(network.training());
  return out;
}

std::unique_ptr<Network> truncate_after(const Network& network, std::int64_t layers, const LayerSpecs& head,
                                        std::string name, std::uint64_t seed) {
  auto out = std::make_unique<Network>(truncate(network.spec(), layers, head, std::move(name)), seed,
                                       network.dtype());
  StateDict target = out->state_dict();
  copy_layers(network.state_dict(), "trunk.", layers, 0, target);
  out->train(network.training());
  return out;
}

}  // namespace cbnet
