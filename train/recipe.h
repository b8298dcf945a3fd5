#pragma once

#include <memory>
#include <string>

#include "data/augment.h"
#include "models/json.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

namespace cbnet {

enum class OptimizerKind {
  adam,  // Kingma and Ba 2015; weight decay decoupled (Loshchilov and Hutter 2019)
  sgd,   // with Nesterov's momentum; weight decay added to the gradient
};
const char* to_string(OptimizerKind kind);

/// A network is taught so by another one, its teacher (train/teacher.h).
struct Distillation {
  std::string teacher;       // a model file, or the name of a model of the same run; empty: none
  double temperature = 1.0;  // both networks' logits are divided by it
  double weight = 0.8;       // of the teacher's part of the loss; the labels have the rest
};

/// One network is trained so, on shuffled batches.
struct TrainRecipe {
  std::int64_t epochs = 12;
  std::int64_t batch_size = 128;
  OptimizerKind optimizer = OptimizerKind::adam;
  double momentum = 0.9;  // of sgd
  double learning_rate = 1e-3;
  ScheduleKind schedule = ScheduleKind::cosine;
  /// The learning rate first rises over so many epochs from 0 in a straight line.
  std::int64_t warmup_epochs = 0;
  double weight_decay = 0.0;
  /// Training stops after this many epochs without a better validation figure, and the best epoch's weights
  /// are kept; 0: it runs all epochs and keeps the last weights.
  std::int64_t patience = 0;
  data::Augmentation augmentation;
  /// So many copies of each image are augmented once, ahead, and every epoch goes through the images as they
  /// are and all of their copies; 0: each epoch augments the images anew.
  std::int64_t copies = 0;
  /// A copy is mixed with another image first, which has a share of 0 to `mixup` in its pixels and its label
  /// (Zhang et al., "mixup: beyond empirical risk minimization", 2018).
  double mixup = 0.0;
  Distillation distillation = {};
};

/// Returns the fields as JSON; those that a recipe did not always have are left out at their defaults, so
/// that trainings of before them go on.
Json train_recipe_to_json(const TrainRecipe& recipe);
/// Changes what `json` names. Throws std::invalid_argument or Json::exception for what is unknown or of
/// another type; `where` names the recipe.
void train_recipe_from_json(const Json& json, const std::string& where, TrainRecipe& recipe);
/// Throws std::invalid_argument, naming the field, when a value makes no sense.
void check(const TrainRecipe& recipe, const char* where);

std::unique_ptr<Optimizer> make_optimizer(const TrainRecipe& recipe, std::vector<Variable> parameters);

}  // namespace cbnet
