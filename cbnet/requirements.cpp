#include "cbnet/requirements.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "tensor/error.h"

namespace cbnet {
namespace {

std::set<std::int64_t> classes_of(const Tensor& labels, const std::vector<std::int64_t>& indices) {
  std::set<std::int64_t> out;
  for (const std::int64_t i : indices) out.insert(labels.data<std::uint8_t>()[i]);
  return out;
}

}  // namespace

void require_trainable(const data::Dataset& dataset, const Recipe& recipe,
                       const std::vector<std::string>& stages) {
  const std::string source = dataset.files.empty() ? dataset.name : dataset.files.front();
  const std::int64_t images = dataset.train.size();
  if (images < 2) {
    throw InputError(source, "at least 2 training images: one to train on, one held out for validation",
                     concat(images), "give more images");
  }
  const std::int64_t held_out = std::llround(recipe.validation_fraction * static_cast<double>(images));
  if (held_out < 1 || held_out >= images) {
    throw InputError(source, "images to train on and images held out for validation",
                     concat(images - held_out, " and ", held_out, " with a validation_fraction of ",
                            recipe.validation_fraction),
                     concat("--validation-fraction ", 1.0 / static_cast<double>(images), " holds out one of ",
                            images, " images"));
  }
  const bool converts = std::find(stages.begin(), stages.end(), "autoencoder") != stages.end();
  if (converts && recipe.threshold == 0.0) {
    throw InputError(
        "the recipe", "a threshold above 0, for images that leave early are the autoencoder's goal",
        "0, at which none does", "give a --threshold, or train with --model branchynet or --model lenet");
  }
}

std::string missing_classes(const data::Dataset& dataset, const data::SplitIndices& split) {
  const std::set<std::int64_t> trained = classes_of(dataset.train.labels, split.train);
  const std::set<std::int64_t> held_out = classes_of(dataset.train.labels, split.validation);
  std::string names;
  for (std::size_t c = 0; c < dataset.classes.size(); ++c) {
    const auto label = static_cast<std::int64_t>(c);
    if (trained.contains(label)) continue;
    names += concat(names.empty() ? "" : ", ", c, " (", dataset.classes[c], ")",
                    held_out.contains(label) ? " with images for validation alone" : "");
  }
  return names.empty() ? "" : "no image to train on, so that no model learns it: class " + names;
}

}  // namespace cbnet
