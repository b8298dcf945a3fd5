#include "data/dataset.h"

#include <filesystem>

#include "data/idx.h"
#include "data/npz.h"
#include "data/official.h"
#include "data/picture.h"

namespace cbnet::data {
namespace {

constexpr std::int64_t kSubsetSize = 7011;

std::string list(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += concat(out.empty() ? "" : ", ", line);
  return out.empty() ? "no folder" : out;
}

const char* install_hint(DatasetId id) {
  return id == DatasetId::fmnist
             ? "install the package dataset-fashion-mnist, allow the download, or name a folder "
               "with --data-dir"
             : "allow the download, or name a folder with --data-dir";
}

FoundFiles find_or_download(DatasetId id, const Location& location, Splits wanted) {
  FoundFiles found = find_dataset(id, location, wanted);
  if (found.complete(wanted)) return found;
  const std::string where = concat("dataset ", to_string(id));
  if (!found.refused.empty()) {
    throw InputError(concat(where, " in ", found.refused),
                     concat("files named ", found.expected, " (with .gz or without, with dots for hyphens)"),
                     concat("no complete set in ", list(found.searched), "; there is ", found.present),
                     "give the files these names, name them one by one (see --help), or name another folder");
  }
  if (!location.allow_download || location.cache_dir.empty()) {
    throw InputError(where,
                     concat("the images and labels of its ",
                            wanted == Splits::both ? "training and test set" : "test set"),
                     concat("no complete set in ", list(found.searched)), install_hint(id));
  }
  const std::string folder = (std::filesystem::path(location.cache_dir) / to_string(id)).string();
  try {
    download_dataset(id, folder, location.base_urls, location.progress);
  } catch (const InputError& error) {
    throw InputError(concat(error.what(), "; searched before: ", list(found.searched)));
  }
  found = find_dataset(id, location, wanted);
  if (!found.complete(wanted)) throw InputError(where, concat("its files in ", folder), list(found.searched));
  return found;
}

Tensor read_array(const std::string& path) { return is_zip(path) ? read_npz(path) : read_idx(path); }

}  // namespace

Split read_split(const std::string& images_file, const std::string& labels_file, std::int64_t classes) {
  Split split;
  const Tensor images = read_array(images_file);
  if (images.rank() != 3)
    throw InputError(images_file, "images of shape (N,H,W)", cbnet::to_string(images.shape()));
  const std::int64_t n = images.size(0);
  split.images = images.view({n, 1, images.size(1), images.size(2)});
  split.labels = read_array(labels_file);
  if (split.labels.rank() != 1) {
    throw InputError(labels_file, "labels of shape (N)", cbnet::to_string(split.labels.shape()));
  }
  if (split.labels.size(0) != n) {
    throw InputError(labels_file, concat(n, " labels, one for each image of ", images_file),
                     concat(split.labels.size(0), " labels"), "take both files from the same set");
  }
  const auto* labels = split.labels.data<std::uint8_t>();
  for (std::int64_t i = 0; i < n; ++i) {
    if (labels[i] >= classes) {
      throw InputError(labels_file, concat("labels from 0 to ", classes - 1),
                       concat("label ", int{labels[i]}, " at position ", i));
    }
  }
  return split;
}

Dataset load_dataset(DatasetId id, const Location& location) {
  const FoundFiles found = find_or_download(id, location, Splits::both);
  Dataset out;
  out.files = found.all();
  out.classes = class_names(id);
  const auto classes = static_cast<std::int64_t>(out.classes.size());
  out.train = read_split(found.train_images, found.train_labels, classes);
  out.test = read_split(found.test_images, found.test_labels, classes);
  if (out.test.image_shape() != out.train.image_shape()) {
    throw InputError(found.test_images,
                     concat("pictures as those to train on, ", picture_text(out.train.image_shape())),
                     picture_text(out.test.image_shape()));
  }
  out.name = to_string(id);
  // The published subset has its own name in every table; its results are not those of KMNIST.
  if (id == DatasetId::kmnist && out.train.size() == kSubsetSize) out.name += "-first7011";
  return out;
}

Dataset load_test_set(DatasetId id, const Location& location) {
  const FoundFiles found = find_or_download(id, location, Splits::test);
  Dataset out;
  out.name = to_string(id);
  out.files = {found.test_images, found.test_labels};
  out.classes = class_names(id);
  out.test = read_split(found.test_images, found.test_labels, static_cast<std::int64_t>(out.classes.size()));
  return out;
}

}  // namespace cbnet::data
