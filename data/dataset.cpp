#include "data/dataset.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "data/idx.h"
#include "data/loader.h"
#include "data/loaders/cifar10.h"
#include "data/npz.h"
#include "data/official.h"
#include "data/picture.h"
#include "data/split.h"

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

FoundFiles find_or_download(DatasetId id, const Location& location, Splits requested) {
  FoundFiles found = find_dataset(id, location, requested);
  if (found.complete(requested)) return found;
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
                            requested == Splits::both ? "training and test set" : "test set"),
                     concat("no complete set in ", list(found.searched)), install_hint(id));
  }
  const std::string folder = (std::filesystem::path(location.cache_dir) / to_string(id)).string();
  try {
    download_dataset(id, folder, location.base_urls, location.progress);
  } catch (const InputError& error) {
    throw InputError(concat(error.what(), "; searched before: ", list(found.searched)));
  }
  found = find_dataset(id, location, requested);
  if (!found.complete(requested))
    throw InputError(where, concat("its files in ", folder), list(found.searched));
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

namespace {

/// The test set alone has to be of the size of what trains elsewhere: the caller compares.
void check_alike(const Dataset& dataset) {
  const Split &train = dataset.train, &test = dataset.test;
  if (train.images.defined() && test.images.defined() && test.image_shape() != train.image_shape()) {
    throw InputError(dataset.files.back(),
                     concat("pictures as those to train on, ", picture_text(train.image_shape())),
                     picture_text(test.image_shape()));
  }
}

Split read_named(DatasetId id, const std::string& images, const std::string& labels, bool train) {
  if (id == DatasetId::cifar10) return read_cifar10(images, train);
  return read_split(images, labels, static_cast<std::int64_t>(class_names(id).size()));
}

Dataset load_named(DatasetId id, const Location& location, Splits requested) {
  constexpr std::int64_t kCifarTrain = 50'000, kCifarTest = 10'000;
  const FoundFiles found = find_or_download(id, location, requested);
  Dataset out;
  out.files = found.all();
  if (requested == Splits::test) std::erase(out.files, "");
  out.classes = class_names(id);
  if (requested == Splits::both) out.train = read_named(id, found.train_images, found.train_labels, true);
  out.test = read_named(id, found.test_images, found.test_labels, false);
  out.name = to_string(id);
  // A part of a set has its own name in every table; its results are not those of the set.
  const std::int64_t n = requested == Splits::both ? out.train.size() : out.test.size();
  const bool part = (id == DatasetId::kmnist && requested == Splits::both && n == kSubsetSize) ||
                    (id == DatasetId::cifar10 && n != (requested == Splits::both ? kCifarTrain : kCifarTest));
  if (part) out.name += concat("-first", n);
  return out;
}

/// Numbers as many classes as the labels name, where nothing names them.
void name_classes(Dataset& dataset) {
  if (!dataset.classes.empty()) return;
  std::int64_t max_label = 0;
  for (const Split* split : {&dataset.train, &dataset.test}) {
    if (!split->labels.defined()) continue;
    const auto* labels = std::as_const(split->labels).data<std::uint8_t>();
    max_label = std::max<std::int64_t>(max_label, *std::max_element(labels, labels + split->size()));
  }
  for (std::int64_t label = 0; label <= max_label; ++label) dataset.classes.push_back(std::to_string(label));
}

void cut_off_test(Dataset& dataset, const Source& source) {
  const std::int64_t n = dataset.train.size();
  const SplitIndices split =
      stratified_split_fraction(dataset.train.labels, source.test_fraction, source.split_seed);
  if (split.validation.empty())
    throw InputError(source.path, "pictures enough to cut a test set off",
                     concat(n, ", of which --test-fraction ", source.test_fraction, " is none"));
  const Split all = dataset.train;
  const auto part = [&](const std::vector<std::int64_t>& indices) {
    return Split{gather(all.images, indices), gather(all.labels, indices)};
  };
  dataset.train = part(split.train);
  dataset.test = part(split.validation);
  dataset.cut_off = true;
}

Dataset load_at(const Source& source) {
  const std::filesystem::path path(source.path);
  Dataset out = loader_for(path).load(path, source.pictures);
  if (!out.train.images.defined())
    throw InputError(source.path, "pictures to train on", "a test set alone", "name a place that holds both");
  name_classes(out);
  const std::filesystem::path place = std::filesystem::absolute(path).lexically_normal();
  out.name = (place.has_filename() ? place : place.parent_path()).filename().string();
  // What lies at a path is not the published set of that name, which others could be compared with.
  if (known_dataset(out.name)) out.name = "my-" + out.name;
  return out;
}

}  // namespace

Dataset load_dataset(const Source& source, Splits requested) {
  Dataset out = source.id ? load_named(*source.id, source.location, requested) : load_at(source);
  const PictureOptions& pictures = source.pictures;
  for (Split* split : {&out.train, &out.test}) {
    if (!split->images.defined()) continue;
    if (pictures.channels > 0) split->images = with_channels(split->images, pictures.channels);
    if (pictures.height > 0) split->images = resized(split->images, pictures.height, pictures.width);
  }
  check_alike(out);
  if (!out.test.images.defined()) cut_off_test(out, source);
  return out;
}

Dataset load_dataset(DatasetId id, const Location& location) {
  Source source;
  source.id = id;
  source.location = location;
  return load_dataset(source);
}

Statistics measure(const Tensor& images) {
  require(images.defined() && images.rank() == 4 && images.dtype() == DType::u8 && images.numel() > 0,
          "measure", "images must be u8 (N,C,H,W), at least one; got ",
          images.defined() ? describe(images) : std::string("an undefined tensor"));
  const Tensor dense = images.contiguous();
  const std::int64_t channels = dense.size(1), area = dense.size(2) * dense.size(3);
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(channels)), squares = sums;
  const auto* pixels = dense.data<std::uint8_t>();
  for (std::int64_t plane = 0; plane < dense.size(0) * channels; ++plane) {
    const auto channel = static_cast<std::size_t>(plane % channels);
    for (std::int64_t i = 0; i < area; ++i, ++pixels) {
      sums[channel] += *pixels;
      squares[channel] += std::uint64_t{*pixels} * *pixels;
    }
  }
  Statistics out;
  const auto count = static_cast<double>(dense.size(0) * area);
  for (std::size_t c = 0; c < sums.size(); ++c) {
    const double mean = static_cast<double>(sums[c]) / count;
    const double variance = static_cast<double>(squares[c]) / count - mean * mean;
    out.mean.push_back(mean / 255);
    out.deviation.push_back(variance > 0 ? std::sqrt(variance) / 255 : 1.0);
  }
  return out;
}

}  // namespace cbnet::data
