#pragma once

#include <string>
#include <vector>

#include "models/normalisation.h"
#include "models/zoo.h"
#include "train/recipe.h"

namespace cbnet {

/// The autoencoder must turn an image into this easy image of its class.
enum class TargetPolicy {
  random_easy,  // another one for each sample and epoch: the paper's words (III-A.2)
  fixed_image,  // one for each class: the co-author's published code
};
enum class ReconstructionLoss { mse, bce };
/// The L1 activity penalty covers these.
enum class ActivityScope {
  code,        // the encoder's output: the paper's words (III-A.3)
  all_hidden,  // all three hidden layers: the co-author's published code
};

/// In training, the code of a network that ends in a linear layer is also decoded into this image
/// (cbnet/converting_encoder.h).
enum class EncoderTarget {
  none,
  prototype,      // its class's image of the lowest entropy
  random_images,  // one image for each class, drawn from all: a control
  permuted,       // another class's prototype: a control
};

/// This decides where a network without side exits is cut (III-B).
struct TruncationRecipe {
  std::int64_t head_epochs = 5;         // of the output layer behind the cut; the layers before it stay
  std::int64_t autoencoder_epochs = 5;  // of a trial at each cut; the chosen one is trained in full
  double margin = 0.01;                 // validation accuracy that a cut may cost against the best one
};

/// All of this decides what training makes, besides the seed and the thread count.
struct Recipe {
  TrainRecipe lenet;
  TrainRecipe branchynet;
  TrainRecipe autoencoder;
  TrainRecipe network;  // of any other network
  TruncationRecipe truncation;

  /// The pixels are normalised by these constants, or by those measured on the images that train. Without
  /// either the network reads the pixels themselves.
  Normalisation normalisation;
  bool measure_normalisation = false;

  double validation_fraction = 1.0 / 12.0;  // 5,000 of 60,000
  double early_loss_weight = 1.0;           // joint loss of a network with side exits: of each of them
  double final_loss_weight = 1.0;

  /// These are the entropy thresholds of the side exits in nats, one for all or one each; empty means `auto`:
  /// the highest exit rates whose validation accuracy is within `auto_margin` of the best.
  std::vector<double> thresholds = {0.05};
  double auto_margin = 0.001;

  TargetPolicy target = TargetPolicy::fixed_image;
  OutputActivation output = OutputActivation::sigmoid;
  ReconstructionLoss reconstruction = ReconstructionLoss::bce;
  double activity_l1 = 10e-8;  // III-A.3
  ActivityScope activity_scope = ActivityScope::code;

  EncoderTarget encoder_target = EncoderTarget::none;  // of `network`
  double encoder_weight = 1.0;                         // of the decoded image's error in the loss
};

const char* to_string(TargetPolicy policy);
const char* to_string(ReconstructionLoss loss);
const char* to_string(ActivityScope scope);
const char* to_string(EncoderTarget target);

/// Returns the recipe with the best validation accuracy for "mnist", "fmnist" or "kmnist" (docs/recipes.md
/// has the table it was chosen from), with the paper's threshold: 0.05, 0.5, 0.025 (IV-B.1). For any other
/// dataset, that of "fmnist" with an automatic threshold and pixels normalised by what is measured. `network`
/// names the one of the list (models/networks.def) that is to be trained: the thresholds of any but the
/// paper's are automatic, and its images are augmented.
Recipe default_recipe(const std::string& dataset, const std::string& network = "");

/// These are for JSON text. from_json changes what the text names in `base`; it throws InputError (with
/// `source` as the file's name) on unknown keys, wrong types and impossible values.
std::string to_json(const Recipe& recipe);
Recipe recipe_from_json(const std::string& text, const Recipe& base, const std::string& source);

/// Throws std::invalid_argument, naming the field, when a value makes no sense.
void check(const Recipe& recipe);

/// Returns its parts, by the keys they have in JSON: "lenet", "branchynet", "autoencoder", "network".
std::vector<std::pair<const char*, TrainRecipe*>> parts_of(Recipe& recipe);
std::vector<std::pair<const char*, const TrainRecipe*>> parts_of(const Recipe& recipe);

}  // namespace cbnet
