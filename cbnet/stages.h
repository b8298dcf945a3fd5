#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cbnet/conversion.h"
#include "cbnet/recipe.h"
#include "data/dataset.h"
#include "train/fit.h"

// This header has what the paper's method trains, as stages for `fit` of train/fit.h.

namespace cbnet {

/// Each use has a separate stream of the user's seed.
enum class SeedUse : std::uint64_t {
  split = 11,
  lenet,
  branchynet,
  autoencoder,
  targets,
  network,
  truncation
};

inline std::uint64_t derive_seed(std::uint64_t seed, SeedUse use) {
  return Rng(seed, static_cast<std::uint64_t>(use)).next();
}

/// All stages of a run read these.
struct StageData {
  /// Splits the training images and measures their normalisation, as the recipe says.
  StageData(const data::Dataset& dataset, const Recipe& recipe, std::uint64_t seed);

  TrainingData training;
  Tensor validation_images, validation_labels;
  std::vector<std::int64_t> validation_truth;
  Normalisation normalisation;
  ImageTask task;
  std::string dataset;  // whose sizes an autoencoder has
};

/// Returns which training images a run with this seed holds out for validation.
data::SplitIndices training_split(const Tensor& labels, double validation_fraction, std::uint64_t seed);

/// Makes the stage of a classifier, all its exits jointly. Figures: "accuracy", and with side exits their
/// thresholds, exit rates and accuracies: "threshold", "exit_rate", "early_accuracy" with one, "threshold_1"
/// and so on with several; "final_accuracy" is what all images would have at the trunk's end. Everything
/// given must outlive it.
Stage classifier_stage(const std::string& name, Network& network, const TrainRecipe& part,
                       const Recipe& recipe, const StageData& data);

/// Returns the thresholds among the figures of such a stage, one for each of `exits` side exits.
std::vector<double> thresholds_of(const std::map<std::string, double>& figures, std::size_t exits);

/// Makes the stage of the converting autoencoder for a lightweight classifier. Figures: "cbnet_accuracy",
/// "classifier_accuracy".
class ConversionStage {
 public:
  struct Seeds {
    std::uint64_t targets = 0, weights = 0;
  };
  /// An image is easy when the classifier's entropy is below the threshold and it is right. Throws as
  /// label_hardness does. Everything given must outlive it.
  ConversionStage(Network& classifier, double threshold, const StageData& data, const Recipe& recipe,
                  Seeds seeds);
  ConversionStage(const ConversionStage&) = delete;
  ConversionStage& operator=(const ConversionStage&) = delete;

  const Stage& stage() const { return stage_; }
  Network& autoencoder() { return autoencoder_; }
  const ConversionTargets& targets() const { return targets_; }

 private:
  double cbnet_accuracy();

  Network& classifier_;
  const StageData& data_;
  const Recipe& recipe_;
  ConversionTargets targets_;
  Network autoencoder_;
  Stage stage_;
};

}  // namespace cbnet
