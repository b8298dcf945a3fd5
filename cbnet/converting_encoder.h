#pragma once

#include <cstdint>
#include <vector>

#include "cbnet/stages.h"

// A converting encoder is an autoencoder in training and a classifier when it runs: the code that a linear
// decoder turns into the image of a target is what the last linear layer classifies. Which images are easy,
// the network's own entropy says, instead of another network's exit.

namespace cbnet {

/// Adds the decoder: a side exit in front of the trunk's last layer that maps its code to the pixels of an
/// image. Throws std::invalid_argument unless the trunk ends in a linear layer on a code, without side exits.
NetworkSpec with_decoder(const NetworkSpec& classifier);

/// Trains a network made by with_decoder: the loss of its trunk's end, plus `encoder_weight` times the mean
/// squared error of the decoded image and its target. Figures: "accuracy".
class EncoderStage {
 public:
  /// Everything given must outlive it.
  EncoderStage(const std::string& name, Network& network, const TrainRecipe& part, const Recipe& recipe,
               const StageData& data, std::uint64_t seed);
  EncoderStage(const EncoderStage&) = delete;
  EncoderStage& operator=(const EncoderStage&) = delete;

  Stage& stage() { return stage_; }

  /// Chooses the images to convert into by what the network is now, as before each epoch: per class one
  /// among the images that train, as indices into them. A class's prototype is its image of the lowest
  /// entropy, among those that the network is right about where there are any; a class without images has -1.
  std::vector<std::int64_t> choose_targets();

 private:
  StepResult step(const data::Batch& batch, std::int64_t epoch);

  Network& network_;
  const Recipe& recipe_;
  const StageData& data_;
  std::uint64_t seed_;
  Tensor images_;  // u8 (N, C, H, W), those that train
  std::vector<std::int64_t> labels_;
  std::int64_t epoch_ = -1;  // that target_rows_ was chosen for
  Tensor target_rows_;       // f32 (classes, pixels)
  Stage stage_;
};

/// Returns the classifier in a network made by with_decoder.
std::unique_ptr<Network> without_decoder(const Network& network, const NetworkSpec& classifier);

/// Is a linear layer: weight (out, in), bias (out).
struct LinearWeights {
  Tensor weight, bias;
};
/// Folds a linear decoder and the choice of the prototype next to the decoded image into one linear layer on
/// the code. |W c + b - p|^2 is smallest where (p W) c + p b - |p|^2 / 2 is largest, as |W c + b|^2 is the
/// same for all p. `decoder` maps the code to pixels; prototypes f32 (classes, pixels).
LinearWeights fold_nearest_prototype(const LinearWeights& decoder, const Tensor& prototypes);

}  // namespace cbnet
