#include "cbnet/requirements.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "cbnet/pipeline.h"
#include "models/json.h"
#include "tensor/error.h"
#include "tensor/io.h"

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
  const Shape shape = dataset.train.image_shape();
  for (const auto& [name, part] : parts_of(recipe)) {
    const std::int64_t most = std::max(part->augmentation.shift, part->augmentation.crop);
    if (most >= std::min(shape[1], shape[2]))
      throw InputError(
          "the recipe",
          concat("shift and crop below the shorter side of the images, ", std::min(shape[1], shape[2])),
          concat(most));
  }
  const bool converts = std::find(stages.begin(), stages.end(), "autoencoder") != stages.end();
  if (converts && !recipe.thresholds.empty() && recipe.thresholds.front() == 0.0) {
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

void require_unseen(const RunFolder& folder, const data::Dataset& dataset) {
  if (!dataset.cut_off || !std::filesystem::exists(folder.run_file())) return;
  const Json run = parse_json(read_file(folder.run_file()), folder.run_file().string());
  if (!run.is_object() || run.value("dataset", "") != dataset.name) return;
  const std::string trained = run.value("data_md5", "");
  const std::string rest = training_checksum(dataset.train);
  if (!trained.empty() && trained != rest) {
    throw InputError(folder.path().string(),
                     concat("the images that it was trained on (md5 ", trained, ") beside the test set"),
                     concat(dataset.name, " without its test set has md5 ", rest),
                     "give --data, --resize, --channels, --test-fraction and --split-seed as in training");
  }
}

}  // namespace cbnet
