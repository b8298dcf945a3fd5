#pragma once

#include <cstdint>
#include <vector>

#include "data/split.h"
#include "tensor/tensor.h"
#include "train/recipe.h"

namespace cbnet {

/// These are the training set and the part of it that is held out.
struct TrainingData {
  Tensor images;  // u8 (N, C, H, W)
  Tensor labels;  // u8 (N)
  data::SplitIndices split;
};

/// A stage goes through these in every epoch: the images that train, and with a recipe's `copies` behind them
/// so many of each, augmented or mixed once.
struct TrainingImages {
  Tensor images;                      // u8 (M, C, H, W)
  Tensor labels;                      // u8 or i64 (M)
  std::vector<std::int64_t> indices;  // of those that train
  /// Is f32 (M, classes): each image's share of every class; undefined where the labels say it all.
  Tensor shares;
};

/// Makes the images of a stage. Copy c of an image depends on (seed, c, its index in the set) alone. The
/// partner that a copy is mixed with is any image that trains.
TrainingImages training_images(const TrainingData& data, const TrainRecipe& recipe, std::int64_t classes,
                               std::uint64_t seed);

}  // namespace cbnet
