#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cbnet/recipe.h"
#include "cbnet/run_folder.h"
#include "data/dataset.h"
#include "data/split.h"

// The method asks this of the images and the recipe: it is found out before minutes of training, not after
// them.

namespace cbnet {

/// Throws InputError, with what to do, when the images are too few to train on some and to hold some out for
/// validation, or when `stages` has the autoencoder and the threshold lets no image be easy. A class without
/// images is no hindrance: nothing is converted into it.
void require_trainable(const data::Dataset& dataset, const Recipe& recipe,
                       const std::vector<std::string>& stages);

/// Says what a user should know about classes that have no image to train on, and of which of them some are
/// held out; one line of text, empty when there are none.
std::string missing_classes(const data::Dataset& dataset, const data::SplitIndices& split);

/// Throws InputError when the test set was cut off in another way than where the run was trained: it would
/// hold images that trained the models.
void require_unseen(const RunFolder& folder, const data::Dataset& dataset);

}  // namespace cbnet
