#pragma once

#include <string>
#include <vector>

#include "cbnet/recipe.h"
#include "cbnet/run_folder.h"
#include "cbnet/trainer.h"
#include "data/dataset.h"

namespace cbnet {

struct PipelineOptions {
  Recipe recipe;
  std::uint64_t seed = 1;
  /// "lenet", "branchynet", "autoencoder" (trains branchynet first where it is missing), "cbnet" (the same,
  /// and puts the two parts together) or "all".
  std::string model = "all";
  /// Continue an interrupted training, and keep finished models of the same recipe, seed and dataset.
  bool resume = false;
  ProgressSink progress;
  /// What happens, a line at a time: stages, thresholds, pools, targets.
  std::function<void(const std::string&)> say;
};

/// The paper's method from images to models (III, Fig. 4):
///   1. LeNet, the baseline, on its own.
///   2. BranchyNet, both exits jointly; then the threshold.
///   3. Easy and hard images by BranchyNet; the converting autoencoder from all of them to easy ones.
///   4. The lightweight classifier: BranchyNet cut at its early exit. CBNet: autoencoder, then classifier.
/// Writes the run folder; the test split is not touched. Throws std::invalid_argument for an unknown model,
/// and InputError when the folder holds another training (recipe, seed or dataset) and `resume` asks to
/// continue it.
void run_pipeline(const data::Dataset& dataset, const RunFolder& folder, const PipelineOptions& options);

/// Which training images a run with this seed holds out for validation.
data::SplitIndices training_split(const Tensor& labels, double validation_fraction, std::uint64_t seed);

/// MD5 of the pixels and labels themselves: what "the same data" means.
std::string training_checksum(const data::Split& split);

/// The loss that the paper minimises for BranchyNet: the weighted sum of both exits' cross-entropies.
StepResult joint_step(Network& branchynet, const data::Batch& batch, double early_weight,
                      double final_weight);

}  // namespace cbnet
