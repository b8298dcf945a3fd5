#pragma once

#include <memory>
#include <vector>

#include "layers/module.h"
#include "models/layer_list.h"
#include "models/spec.h"

namespace cbnet {

/// This is the module that a NetworkSpec describes. Parameters are named "trunk.<i>.…" and "exits.<e>.<i>.…".
class Network : public Module {
 public:
  /// Initialises every weight from `seed`; throws std::invalid_argument when sizes do not fit.
  explicit Network(NetworkSpec spec, std::uint64_t seed = 0, DType dtype = DType::f32);

  const NetworkSpec& spec() const { return spec_; }
  std::size_t exit_count() const { return exits_.size() + 1; }

  /// Runs the trunk alone: x (N, input…) -> (N, classes or features).
  Variable forward(const Variable& x) override;

  /// Returns every exit's output, side exits first: what joint training needs.
  std::vector<Variable> forward_exits(const Variable& x);

  /// Runs trunk layers begin, …, end - 1 only.
  Variable forward_trunk(const Variable& x, std::int64_t begin, std::int64_t end);

  /// Runs side exit `e`, given what the trunk's first spec().exits[e].after layers made.
  Variable forward_branch(std::size_t e, const Variable& x) { return exits_.at(e)->forward(x); }

  DType dtype() const { return dtype_; }

  /// Returns where its parameters are: compute_device() at first, until to() moves them.
  Device device() const;
  /// Returns x on the network's device.
  Variable input(const Tensor& x) const;

  /// Returns the generator of the dropout layers, whose state a training checkpoint holds.
  Rng& dropout_rng() { return dropout_rng_; }

 private:
  NetworkSpec spec_;
  DType dtype_;
  Rng dropout_rng_;
  std::shared_ptr<LayerList> trunk_;
  std::vector<std::shared_ptr<LayerList>> exits_;
};

/// Returns the network that stops at side exit `e`: the trunk up to it, then its branch, with copies of the
/// weights (the paper's lightweight classifier, III-B). Both keep dtype and training mode.
std::unique_ptr<Network> truncate_at_exit(const Network& network, std::size_t e, std::string name);

/// Returns trunk layers begin, …, end - 1 as a network that reads what the layers before them make, with
/// copies of the weights. Throws std::invalid_argument when one of them reads an earlier layer.
std::unique_ptr<Network> trunk_part(const Network& network, std::int64_t begin, std::int64_t end,
                                    std::string name);
/// Returns the branch of side exit `e` as a network that reads what the trunk makes before it, likewise.
std::unique_ptr<Network> branch_part(const Network& network, std::size_t e, std::string name);

/// Returns the first `layers` of the trunk with copies of their weights, then `head` with fresh ones.
std::unique_ptr<Network> truncate_after(const Network& network, std::int64_t layers, const LayerSpecs& head,
                                        std::string name, std::uint64_t seed);

}  // namespace cbnet
