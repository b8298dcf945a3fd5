#pragma once

#include <string>

#include "data/augment.h"
#include "models/normalisation.h"
#include "models/zoo.h"
#include "optim/schedule.h"

namespace cbnet {

/// How one network is trained: Adam (Kingma and Ba 2015) on shuffled batches.
struct TrainRecipe {
  std::int64_t epochs = 12;
  std::int64_t batch_size = 128;
  double learning_rate = 1e-3;
  ScheduleKind schedule = ScheduleKind::cosine;
  double weight_decay = 0.0;  // decoupled
  data::Augmentation augmentation;
};

/// Which easy image of the class the autoencoder must turn an image into.
enum class TargetPolicy {
  random_easy,  // another one for each sample and epoch: the paper's words (III-A.2)
  fixed_image,  // one for each class: the co-author's published code
};
enum class ReconstructionLoss { mse, bce };
/// What the L1 activity penalty covers.
enum class ActivityScope {
  code,        // the encoder's output: the paper's words (III-A.3)
  all_hidden,  // all three hidden layers: the co-author's published code
};

/// Everything that decides what training makes, besides the seed and the thread count.
struct Recipe {
  TrainRecipe lenet;
  TrainRecipe branchynet;
  TrainRecipe autoencoder;

  /// The pixels are normalised by these constants, or by those measured on the images that train. Without
  /// either the network reads the pixels themselves.
  Normalisation normalisation;
  bool measure_normalisation = false;

  double validation_fraction = 1.0 / 12.0;  // 5,000 of 60,000
  double early_loss_weight = 1.0;           // BranchyNet's joint loss: early + final
  double final_loss_weight = 1.0;

  /// Entropy threshold of the early exit in nats; negative means `auto`: the highest exit rate whose
  /// validation accuracy is within `auto_margin` of the best.
  double threshold = 0.05;
  double auto_margin = 0.001;

  TargetPolicy target = TargetPolicy::fixed_image;
  OutputActivation output = OutputActivation::sigmoid;
  ReconstructionLoss reconstruction = ReconstructionLoss::bce;
  double activity_l1 = 10e-8;  // III-A.3
  ActivityScope activity_scope = ActivityScope::code;
};

const char* to_string(TargetPolicy policy);
const char* to_string(ReconstructionLoss loss);
const char* to_string(ActivityScope scope);

/// The recipe with the best validation accuracy for "mnist", "fmnist" or "kmnist" (docs/recipes.md has the
/// table it was chosen from), with the paper's threshold: 0.05, 0.5, 0.025 (IV-B.1). For any other dataset,
/// that of "fmnist" with an automatic threshold and pixels normalised by what is measured.
Recipe default_recipe(const std::string& dataset);

/// JSON text. from_json changes what the text names in `base`; it throws InputError (with `source` as the
/// file's name) on unknown keys, wrong types and impossible values.
std::string to_json(const Recipe& recipe);
Recipe recipe_from_json(const std::string& text, const Recipe& base, const std::string& source);

/// Throws std::invalid_argument, naming the field, when a value makes no sense.
void check(const Recipe& recipe);

}  // namespace cbnet
