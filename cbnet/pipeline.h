#pragma once

#include <string>
#include <vector>

#include "cbnet/recipe.h"
#include "cbnet/run_folder.h"
#include "data/dataset.h"
#include "train/fit.h"

namespace cbnet {

/// This is a network that is not one of the paper's: of the list (models/networks.def), of a file, or
/// imported.
struct OtherNetwork {
  std::string name;  // that of its model file
  NetworkSpec spec;
  StateDict weights;  // to start from; empty: fresh ones
};

struct PipelineOptions {
  Recipe recipe;
  std::uint64_t seed = 1;
  /// It is "lenet", "branchynet", "autoencoder" (trains branchynet first where it is missing), "cbnet" (the
  /// same, and puts the two parts together) or "all". Not read where there is a `network`.
  std::string model = "all";
  std::optional<OtherNetwork> network;
  /// Makes CBNet from `network`: its lightweight classifier ends at the first side exit, or, where it has
  /// none, behind weighted layer `k`.
  bool convert = false;
  std::int64_t k = 0;  // 0: chosen (truncation.h)
  /// With `resume` it continues an interrupted training, and keeps finished models of the same recipe, seed
  /// and dataset.
  bool resume = false;
  ProgressSink progress;
  /// Is told what happens, a line at a time: stages, thresholds, pools, targets.
  std::function<void(const std::string&)> say;
};

/// Runs the paper's method from images to models (III, Fig. 4):
///   1. LeNet, the baseline, on its own.
///   2. BranchyNet, both exits jointly; then the threshold. Or another network, with its exits.
///   3. The lightweight classifier: that network cut at its first exit; one without exits at the k of III-B.
///   4. Easy and hard images by the classifier; the converting autoencoder from all of them to easy ones.
///   CBNet:
///      autoencoder, then classifier.
/// Writes the run folder; the test split is not touched. Throws std::invalid_argument for an unknown model,
/// and InputError when the folder holds another training (recipe, seed or dataset) and `resume` asks to
/// continue it.
void run_pipeline(const data::Dataset& dataset, const RunFolder& folder, const PipelineOptions& options);

/// Returns the MD5 of the pixels and labels themselves: what "the same data" means.
std::string training_checksum(const data::Split& split);

}  // namespace cbnet
