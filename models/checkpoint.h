#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/network.h"
#include "models/normalisation.h"

namespace cbnet {

/// A model file says this besides the weights.
struct ModelInfo {
  std::string model;    // "lenet", "branchynet", "autoencoder", "classifier"
  std::string dataset;  // what it was trained on: "mnist", "fmnist", "kmnist", "kmnist-first7011", …
  /// These are their names by label; empty where the dataset's name tells them.
  std::vector<std::string> classes;
  /// Pixels in [0, 1] become the network's input so.
  Normalisation normalisation;
  /// A sample leaves at side exit 0, 1, … when its entropy in nats is below this.
  std::vector<double> thresholds;
  /// This factor leads from the network's output to pixels in [0, 1]; it is not 1 for an autoencoder that
  /// ends in softmax.
  double rescale = 1.0;
  /// This is JSON text: version, recipe, seed, threads, ISA.
  std::string provenance = "{}";
};

/// Describes it as files have it: "pixels / 255", or JSON.
std::string to_text(const Normalisation& normalisation);

struct Model {
  ModelInfo info;
  std::unique_ptr<Network> network;
};

/// Writes one safetensors file, atomically. Equal weights and info give equal bytes.
void save_model(const std::filesystem::path& path, const Network& network, const ModelInfo& info);

/// Reads a model file. Throws InputError when it is missing or damaged, is not a cbnet model, was written by
/// a newer version, or holds weights that do not fit its network or are not finite.
Model load_model(const std::filesystem::path& path);

}  // namespace cbnet
