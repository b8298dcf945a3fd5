#pragma once

#include <string>
#include <vector>

#include "cbnet/recipe.h"
#include "console/output.h"
#include "data/dataset_id.h"

// This bench chose the default recipe: CBNet trained in several ways from one BranchyNet, judged on the
// validation split. The test split is not looked at.

namespace cbnet::bench {

/// This is one way to train the converting autoencoder, and what came of it.
struct Variant {
  std::string name;  // also its folder
  Recipe recipe;
  double validation_accuracy = 0.0;  // of CBNet, 0 … 1
  double seconds = 0.0;              // of the autoencoder's training
};

/// Lists target {fixed_image, random_easy} x (output, loss) {sigmoid + bce, sigmoid + mse, softmax + mse},
/// without augmentation; everything else as in `base`.
std::vector<Variant> target_and_loss_grid(const Recipe& base);

/// Lists `best` with its images shifted by up to one pixel, and for Fashion-MNIST mirrored too.
Variant with_augmentation(const Variant& best, data::DatasetId dataset);

/// Returns the index of the highest validation accuracy; the first of equals. Throws std::invalid_argument
/// for none.
std::size_t best_of(const std::vector<Variant>& variants);

struct RecipeSearch {
  std::string dataset;
  std::uint64_t seed = 1;
  std::int64_t validation_images = 0;
  double branchynet_accuracy = 0.0, early_accuracy = 0.0;  // on the validation split
  std::vector<Variant> variants;
};

/// Makes a table in Markdown, the best variant in bold, and the lines that say what it is.
std::string markdown(const RecipeSearch& search);
/// Makes a record "cbnet-recipes/1": docs/bench-json.md.
Json recipes_json(const RecipeSearch& search);

/// Runs `cbnet_bench recipes`, with the words after the command. Returns the exit code; errors are thrown.
int run_recipes(const std::vector<std::string>& words);

}  // namespace cbnet::bench
