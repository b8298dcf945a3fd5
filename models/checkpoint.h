#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/network.h"
#include "models/normalisation.h"

namespace cbnet {

/// What a model file says besides the weights.
struct ModelInfo {
  std::string model;    // "lenet", "branchynet", "autoencoder", "classifier"
  std::string dataset;  // what it was trained on: "mnist", "fmnist", "kmnist", "kmnist-first7011", …
  /// Their names by label; empty where the dataset's name tells them.
  std::vector<std::string> classes;
  /// How pixels in [0, 1] become the network's input.
  Normalisation normalisation;
  /// Entropy below which a sample leaves at side exit 0, 1, …, in nats (strict).
  std::vector<double> thresholds;
  /// Factor from the network's output to pixels in [0, 1]; not 1 for an autoencoder that ends in softmax.
  double rescale = 1.0;
  /// JSON text: version, recipe, seed, threads, ISA.
  std::string provenance = "{}";
};

/// As files have it: "pixels / 255", or JSON.
std::string to_text(const Normalisation& normalisation);

struct Model {
  ModelInfo info;
  std::unique_ptr<Network> network;
};

/// Writes one safetensors file, atomically. Equal weights and info give equal bytes.
void save_model(const std::filesystem::path& path, const Network& network, const ModelInfo& info);

/// Throws InputError when the file is missing or damaged, is not a cbnet model, was written by a newer
/// version, or holds weights that do not fit its network or are not finite.
Model load_model(const std::filesystem::path& path);

}  // namespace cbnet
