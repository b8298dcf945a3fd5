#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "models/kinds/conv2d.h"
#include "models/kinds/flatten.h"
#include "models/kinds/linear.h"
#include "models/kinds/max_pool2d.h"
#include "models/kinds/relu.h"
#include "models/kinds/sigmoid.h"
#include "models/kinds/unflatten.h"
#include "models/network.h"
#include "runtime/graph.h"

// These are the models of the peer bench, as every engine is given them.

namespace cbnet::peers {

/// This is one layer with its weights, of a kind that every engine has a counterpart for: conv2d, linear,
/// max_pool2d, relu, sigmoid, flatten or unflatten. Windows are square, with the same padding on every side;
/// linear layers and convolutions have a bias.
struct Layer {
  LayerSpec spec;
  Shape in = {}, out = {};        // of one sample
  Tensor weight = {}, bias = {};  // f32; undefined where the kind has none

  template <class K>
  bool is() const {
    return spec.is<K>();
  }
  template <class K>
  const K* as() const {
    return spec.as<K>();
  }
};

struct PeerModel {
  std::string name;
  NetworkSpec spec;
  StateDict weights;  // f32
  /// `trunk` is the whole network; of one with a side exit, what stands before the exit, and `branch` and
  /// `rest` are what follows for an image that leaves and for one that stays.
  std::vector<Layer> trunk, branch, rest;
  /// An image whose early softmax has an entropy (nats) below it leaves.
  double threshold = 0.0;
  std::int64_t width = 0;  // outputs of one image: logits, or pixels of an autoencoder
  /// Of a network that is not the paper's: its layers, folded; `trunk` is empty then, and such a network has
  /// no side exit.
  runtime::Graph graph = {};
  Tensor calibration = {};  // f32 (n,C,H,W), other images than the timed ones: for scales of int8

  bool is_graph() const { return !graph.nodes.empty(); }
  bool classifies() const { return is_graph() ? graph.classifies : !name.starts_with("autoencoder"); }
  bool has_exit() const { return !branch.empty(); }
  /// Tells whether a layer of the kind stands anywhere, also behind a side exit.
  template <class K>
  bool has() const {
    const auto is = [](const Layer& layer) { return layer.is<K>(); };
    return std::ranges::any_of(trunk, is) || std::ranges::any_of(branch, is) || std::ranges::any_of(rest, is);
  }
};

/// This is what one image costs on average, given the fraction of images that stay behind a side exit.
struct ModelCost {
  double macs = 0.0;
  double macs_without_padding = 0.0;  // less those whose pixel is padding; not counted in a graph
  double weight_bytes = 0.0;          // f32
  /// This is the part of them that int8 variants compute in bytes: of the paper's networks the linear layers,
  /// of others all.
  double byte_macs = 0.0, byte_weight_bytes = 0.0;
};

/// Joins an autoencoder and the classifier behind it, as one network.
NetworkSpec joined(const std::string& name, NetworkSpec autoencoder, const NetworkSpec& classifier);

/// Fills in what follows from spec and weights. Throws std::invalid_argument, naming the layer, for
/// one that does not fit into Layer.
PeerModel peer_model(std::string name, NetworkSpec spec, StateDict weights, double threshold);

/// Makes random weights from `seed`; the threshold such that the fraction `hard_share` of images(seed, 64)
/// stays. Throws std::invalid_argument for an unknown name.
PeerModel make_model(const std::string& name, std::uint64_t seed, double hard_share);

/// Adjacent linear layers become one where that saves multiply-adds; the function stays the same.
PeerModel folded(const PeerModel& model);

ModelCost cost_of(const PeerModel& model, double hard_share);

/// Makes f32 (n, 1, 28, 28): noise of differing contrast, so that no two images have the same entropy.
Tensor images(std::uint64_t seed, std::int64_t n);

/// Returns what the network makes of `pixels`, computed in f64: (n, width).
std::vector<double> reference(const PeerModel& model, const Tensor& pixels);

/// Pools and rectifiers change places where a ReLU follows a max-pool: the same function, and engines that
/// join a convolution with its ReLU find them side by side.
std::vector<Layer> relu_before_pool(std::vector<Layer> layers);

/// Returns the entropy in nats of softmax(logits).
double softmax_entropy(const float* logits, std::int64_t n);

}  // namespace cbnet::peers
