#pragma once

#include "cbnet/pipeline.h"
#include "tests/support/bars.h"

namespace cbnet::testing {

/// A recipe that takes a few seconds on bar_dataset(600, …).
inline Recipe short_recipe() {
  Recipe recipe = default_recipe("fmnist");
  for (const auto& entry : parts_of(recipe)) {
    TrainRecipe* part = entry.second;
    part->epochs = 4;
    part->batch_size = 50;
    part->learning_rate = 3e-3;
    part->augmentation = {};
  }
  recipe.autoencoder.epochs = 25;
  recipe.thresholds = {1.0};
  return recipe;
}

}  // namespace cbnet::testing
