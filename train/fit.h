#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/batches.h"
#include "models/network.h"
#include "models/normalisation.h"
#include "train/copies.h"
#include "train/course.h"
#include "train/metrics.h"
#include "train/recipe.h"
#include "train/teacher.h"

// This is the one training loop: it trains the paper's models, other networks, and what fine-tunes them.

namespace cbnet {

/// This says where training stands, for whoever shows it.
struct Progress {
  std::string stage;  // "lenet", "branchynet", "autoencoder", …
  std::int64_t stage_number = 1, stages = 1;
  std::int64_t epoch = 0, epochs = 0;
  std::int64_t images = 0, images_per_epoch = 0;  // of this epoch
  double loss = 0.0;                              // mean of this epoch so far
  double accuracy = 0.0;                          // on training batches of this epoch so far; NaN if none
  double seconds_left = 0.0;                      // of this stage
};
using ProgressSink = std::function<void(const Progress&)>;

/// Is one line of log.jsonl, as JSON text.
using LogLines = std::vector<std::string>;

/// This is one network to train.
struct Stage {
  std::string name;
  Network* network = nullptr;
  TrainRecipe recipe;
  std::function<StepResult(const data::Batch&, std::int64_t epoch)> step;
  /// Computes named figures on the validation split, after each epoch; in eval mode, without gradients. The
  /// first in the order of the alphabet is the one that a recipe's `patience` watches: larger is better.
  std::function<std::map<std::string, double>()> validate;
  /// Batches are normalised so before the network reads them.
  Normalisation normalisation = {};
  /// Is called after each change to the weights, where set: keeps zero what was pruned.
  std::function<void()> after_step = {};
  /// Its probabilities stand in every batch, where set.
  std::shared_ptr<Teacher> teacher = {};
};

struct FitOptions {
  std::uint64_t seed = 1;
  /// The state is saved here after every epoch; the caller puts it elsewhere once the training is finished.
  /// Empty: nothing is saved.
  std::filesystem::path state_file;
  /// This is the state of a finished training of fewer epochs, to go on from where state_file does not exist.
  std::filesystem::path finished_file;
  /// This must not change between the runs that share a state file, but for the number of epochs.
  std::string fingerprint;
  /// Training goes on from one of the two when it exists.
  bool resume = false;
  ProgressSink progress;
  /// Says what a training of another length that is continued means for the weights, as lines of text.
  std::function<void(const std::string&)> say;
  /// Is called after each epoch's state is safe, with all of this stage's log lines.
  std::function<void(const LogLines&)> log;
};

struct FitResult {
  std::map<std::string, double> validation;  // of the weights that are kept
  LogLines log;
  double seconds = 0.0;  // of training, over all runs that it took
  /// The weights are of this epoch, from 1: the last one, or the best one where the recipe has patience.
  std::int64_t epoch = 0;
  /// These are epochs at the rates of another length; empty when the weights are those of one training
  /// without a stop.
  std::vector<EarlierEpochs> earlier;
};

/// Runs the epochs that are left. The order of samples, augmentation and targets depend on (seed, epoch)
/// only, so a run that was killed and resumed ends with the same bits; so does one that is given more epochs,
/// where its schedule gave the epochs so far the rates that they have in the longer training.
/// Throws std::runtime_error when the loss is not finite, InputError when the state is another training's or
/// has more epochs behind it than are asked for.
FitResult fit(const Stage& stage, const TrainingData& data, const FitOptions& options);

/// Trains `network` to tell classes apart: the mean cross-entropy of its exits, each with its weight (one for
/// all side exits, one for the trunk's end). Nothing is saved; `validation` has the accuracy of the trunk.
FitResult fit(Network& network, const TrainingData& data, const TrainRecipe& recipe, std::uint64_t seed = 1);

/// Returns the fingerprint in a state file. Throws InputError when it has none.
std::string state_fingerprint(const std::filesystem::path& path);

}  // namespace cbnet
