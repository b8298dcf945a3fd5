#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cbnet/stages.h"
#include "models/json.h"

// This header finds where a network without side exits is cut (III-B): "layers 1 through k" with an output
// layer, k found from 1 up, guided by how many images are hard then and by what the autoencoder costs.

namespace cbnet {

/// A network can be cut here: behind weighted layer k and what follows it without weights. A residual block
/// is one weighted layer.
struct Cut {
  std::int64_t k = 0;
  std::int64_t layers = 0;  // of the trunk
};
/// Lists k = 1, 2, …, N - 1 for a trunk of N weighted layers, without the places that a later layer reads
/// across.
std::vector<Cut> cuts_of(const NetworkSpec& network);

/// One cut was tried with this result; accuracies are those of the validation split.
struct CutTrial {
  Cut cut;
  double threshold = 0.0;
  std::int64_t easy = 0, hard = 0;  // training images
  double classifier_accuracy = 0.0, cbnet_accuracy = 0.0;
  std::int64_t classifier_macs = 0, autoencoder_macs = 0;
  double cbnet_us = 0.0;  // an image on this machine: batch 1, median
  std::string refused;    // why it cannot be chosen; empty where it can
};

struct Truncation {
  std::vector<CutTrial> trials;
  std::size_t chosen = 0;
  double network_accuracy = 0.0, network_us = 0.0;
  std::int64_t network_macs = 0;
  /// This is the network up to the chosen cut, with its output layer.
  std::unique_ptr<Network> classifier;

  const CutTrial& choice() const { return trials.at(chosen); }
};

struct TruncationOptions {
  std::int64_t k = 0;  // 0: chosen
  std::uint64_t seed = 1;
  ProgressSink progress;
  std::function<void(const std::string&)> say;
};

/// Trains an output layer behind each cut, the layers before it staying as they are, and an autoencoder for
/// it, both for the short while that recipe.truncation says. The choice is the first k whose accuracy behind
/// the autoencoder is within its margin of the best one's; the trials end where autoencoder and cut network
/// together take more multiply-adds than the whole network. With a given k that cut alone is tried. Throws
/// std::invalid_argument when there is no such cut, and std::runtime_error when no cut can be chosen.
Truncation choose_truncation(Network& network, const StageData& data, const Recipe& recipe,
                             const TruncationOptions& options);

/// The first is what run.json holds, the second the table that is printed.
Json to_json(const Truncation& truncation);
std::string to_text(const Truncation& truncation);

}  // namespace cbnet
