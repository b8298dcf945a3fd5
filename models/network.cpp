#include "models/network.h"

namespace cbnet {
namespace {

constexpr std::uint64_t kWeightStream = 1;
constexpr std::uint64_t kDropoutStream = 2;

struct LayerRange {
  std::string prefix;  // "trunk.", "exits.0."
  std::int64_t first = 0, count = 0;
};

/// Copies layers of `source` to those of the trunk of `target` from `target_first` on.
void copy_layers(const StateDict& source, const LayerRange& range, std::int64_t target_first,
                 StateDict& target) {
  for (std::int64_t i = 0; i < range.count; ++i) {
    const std::string from = concat(range.prefix, range.first + i, ".");
    const std::string to = concat("trunk.", target_first + i, ".");
    for (const auto& [name, tensor] : source) {
      if (!name.starts_with(from)) continue;
      for (auto& [target_name, target_tensor] : target) {
        if (target_name == to + name.substr(from.size())) target_tensor.copy_from(tensor);
      }
    }
  }
}

LayerRange branch_range(const Network& network, std::size_t e) {
  return {concat("exits.", e, "."), 0, static_cast<std::int64_t>(network.spec().exits.at(e).branch.size())};
}

/// Makes a network of its own of these layers, whose weights are in `range`.
std::unique_ptr<Network> part_of(const Network& network, NetworkSpec spec, const LayerRange& range) {
  auto out = std::make_unique<Network>(std::move(spec), 0, network.dtype());
  StateDict target = out->state_dict();
  copy_layers(network.state_dict(), range, 0, target);
  out->train(network.training());
  return out;
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
  copy_layers(source, {"trunk.", 0, exit.after}, 0, target);
  copy_layers(source, branch_range(network, e), exit.after, target);
  out->train(network.training());
  return out;
}

std::unique_ptr<Network> trunk_part(const Network& network, std::int64_t begin, std::int64_t end,
                                    std::string name) {
  const NetworkSpec& full = network.spec();
  require(0 <= begin && begin <= end && end <= static_cast<std::int64_t>(full.trunk.size()), "trunk_part",
          "'", full.name, "' has ", full.trunk.size(), " trunk layers; got ", begin, " to ", end);
  NetworkSpec spec{std::move(name), trunk_shape(full, begin), {}, {}, full.init};
  for (std::int64_t i = begin; i < end; ++i) {
    LayerSpec layer = full.trunk[static_cast<std::size_t>(i)];
    for (std::int64_t& position : layer.inputs) {
      require(position >= begin, "trunk_part", "layer ", i, " of '", full.name, "' reads position ", position,
              ", which is before the part that begins at ", begin);
      position -= begin;
    }
    spec.trunk.push_back(std::move(layer));
  }
  return part_of(network, std::move(spec), {"trunk.", begin, end - begin});
}

std::unique_ptr<Network> branch_part(const Network& network, std::size_t e, std::string name) {
  const NetworkSpec& full = network.spec();
  require(e < full.exits.size(), "branch_part", "'", full.name, "' has ", full.exits.size(),
          " side exits; got exit ", e);
  NetworkSpec spec{
      std::move(name), trunk_shape(full, full.exits[e].after), full.exits[e].branch, {}, full.init};
  return part_of(network, std::move(spec), branch_range(network, e));
}

std::unique_ptr<Network> truncate_after(const Network& network, std::int64_t layers, const LayerSpecs& head,
                                        std::string name, std::uint64_t seed) {
  auto out = std::make_unique<Network>(truncate(network.spec(), layers, head, std::move(name)), seed,
                                       network.dtype());
  StateDict target = out->state_dict();
  copy_layers(network.state_dict(), {"trunk.", 0, layers}, 0, target);
  out->train(network.training());
  return out;
}

}  // namespace cbnet
