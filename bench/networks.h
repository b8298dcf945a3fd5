#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/network.h"
#include "models/normalisation.h"
#include "runtime/plan.h"

// Roofline and growth take the paper's networks so: of a run or with random weights, wider, for larger
// images.

namespace cbnet::bench {

/// These are "lenet", "branchynet", "classifier", and "autoencoder-D" and "cbnet-D" for mnist, fmnist and
/// kmnist.
std::vector<std::string> network_names();

/// This is a network as the modules run it. No image leaves at a side exit: every step then has all images.
struct BenchNetwork {
  std::string name;
  std::unique_ptr<Network> network;    // of CBNet: the classifier; else the only one
  std::unique_ptr<Network> converter;  // of CBNet: the autoencoder; else null
  double rescale = 1.0;                // of the autoencoder
  bool classifies = true;
  Normalisation normalisation = {};  // of what each of them reads

  /// Returns the cost of an image that goes through all of it, side exits included.
  Cost cost() const;
  Shape input() const;
  runtime::Graph graph() const;
  /// Returns what the modules make of images u8 (N,C,H,W), one row an image: the probabilities of the last
  /// exit, or pixels.
  std::vector<float> answer(const Tensor& images) const;
};

/// Makes random weights from `seed`. `width` multiplies the channels of convolutions and the features of
/// hidden layers; images are side x side pixels (CBNet and autoencoders: 28 x 28). Throws
/// std::invalid_argument for an unknown name and for sizes that cannot be.
BenchNetwork make_network(const std::string& name, std::uint64_t seed, std::int64_t width = 1,
                          std::int64_t side = 28);

/// Loads a model of a run folder. Throws as load_predictor.
BenchNetwork load_network(const std::filesystem::path& run, const std::string& name);

/// Makes u8 (n,C,H,W) of noise, the first `distinct` images again and again.
Tensor noise_images(std::int64_t n, const Shape& input, std::int64_t distinct, std::uint64_t seed);

/// Runs the plan on the images and compares it with `expected`, the network's answer to the first of them, of
/// which they are repetitions. The largest difference; throws std::runtime_error where it exceeds
/// kAgreementTolerance.
double check_plan(const runtime::Plan& plan, runtime::Workspace& workspace, const Tensor& images,
                  const std::vector<float>& expected, const std::string& name);

}  // namespace cbnet::bench
