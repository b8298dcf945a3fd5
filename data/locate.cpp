#include "data/locate.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "tensor/error.h"

namespace cbnet::data {
namespace {

namespace fs = std::filesystem;

struct Pair {
  const char* images;
  const char* labels;
};

struct Place {
  std::string folder;
  std::string label;
};

std::vector<Pair> train_names(DatasetId id) {
  std::vector<Pair> names{{"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}};
  if (id == DatasetId::kmnist) {
    names.push_back({"kmnist-train-imgs.npz", "kmnist-train-labels.npz"});
    names.push_back({"train-first7011-images-idx3-ubyte", "train-first7011-labels-idx1-ubyte"});
  }
  return names;
}

std::vector<Pair> test_names(DatasetId id) {
  std::vector<Pair> names{{"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}};
  if (id == DatasetId::kmnist) names.push_back({"kmnist-test-imgs.npz", "kmnist-test-labels.npz"});
  return names;
}

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

/// The file with or without .gz; "" when there is neither.
std::string present(const fs::path& folder, const std::string& name) {
  for (const char* suffix : {".gz", ""}) {
    const fs::path path = folder / (name + suffix);
    if (is_file(path)) return path.string();
  }
  return "";
}

/// Fills in both files or none, and then appends what is missing to `missing`.
void find_pair(const fs::path& folder, const std::vector<Pair>& names, std::string& images,
               std::string& labels, std::string& missing) {
  if (!images.empty()) return;  // named by the user
  for (const Pair& pair : names) {
    const std::string found_images = present(folder, pair.images);
    const std::string found_labels = present(folder, pair.labels);
    if (found_images.empty() || found_labels.empty()) continue;
    images = found_images;
    labels = found_labels;
    return;
  }
  for (const char* name : {names[0].images, names[0].labels}) {
    if (present(folder, name).empty()) missing += concat(missing.empty() ? "" : ", ", name);
  }
}

/// The folder as it may stand for this dataset: those named after it, then itself.
std::vector<fs::path> candidates(DatasetId id, const std::string& place) {
  std::vector<fs::path> out;
  for (const std::string& name : folder_names(id)) out.push_back(fs::path(place) / name);
  fs::path self = fs::path(place).lexically_normal();
  if (!self.has_filename()) self = self.parent_path();
  for (const DatasetId other : kAllDatasets) {
    const std::vector<std::string> names = folder_names(other);
    // The names of the files do not tell the datasets apart, but this folder's name does.
    if (other != id && std::find(names.begin(), names.end(), self.filename().string()) != names.end())
      return out;
  }
  out.emplace_back(place);
  return out;
}

std::vector<Place> places(const Location& location) {
  std::vector<Place> out;
  if (!location.data_dir.empty()) out.push_back({location.data_dir, "--data-dir "});
  const char* environment = location.use_environment ? std::getenv("CBNET_DATA") : nullptr;
  if (environment != nullptr && *environment != '\0') out.push_back({environment, "$CBNET_DATA "});
  if (!location.cache_dir.empty()) out.push_back({location.cache_dir, ""});
  for (const std::string& folder : location.system_dirs) out.push_back({folder, ""});
  return out;
}

void check_named_pair(const std::string& images, const std::string& labels, const char* split) {
  require(images.empty() == labels.empty(), "dataset", "--", split, "-images and --", split,
          "-labels must be given together; got only ", images.empty() ? labels : images);
  for (const std::string& path : {images, labels}) {
    if (path.empty() || is_file(path)) continue;
    std::error_code error;
    const bool there = fs::exists(path, error);
    throw InputError(path, "a readable file",
                     is_folder(path) ? "a folder"
                     : there         ? "a device"
                                     : "no such file");
  }
}

}  // namespace

bool FoundFiles::complete(Splits wanted) const {
  const bool train = !train_images.empty() && !train_labels.empty();
  return (train || wanted == Splits::test) && !test_images.empty() && !test_labels.empty();
}

FoundFiles find_dataset(DatasetId id, const Location& location, Splits wanted) {
  check_named_pair(location.train_images, location.train_labels, "train");
  check_named_pair(location.test_images, location.test_labels, "test");
  if (!location.data_dir.empty() && !is_folder(location.data_dir)) {
    throw InputError(location.data_dir, "a folder", is_file(location.data_dir) ? "a file" : "no such folder",
                     "check --data-dir");
  }
  FoundFiles named;
  named.train_images = location.train_images;
  named.train_labels = location.train_labels;
  named.test_images = location.test_images;
  named.test_labels = location.test_labels;
  if (named.complete(wanted)) return named;

  std::optional<FoundFiles> partial;
  std::vector<std::string> searched;
  for (const Place& place : places(location)) {
    if (!is_folder(place.folder)) {
      searched.push_back(concat(place.label, place.folder, " (no such folder)"));
      continue;
    }
    std::string reason = concat(" (named after another dataset, and holds no ", to_string(id), ")");
    for (const fs::path& folder : candidates(id, place.folder)) {
      if (!is_folder(folder)) continue;
      FoundFiles found = named;
      std::string missing;
      if (wanted == Splits::both)
        find_pair(folder, train_names(id), found.train_images, found.train_labels, missing);
      find_pair(folder, test_names(id), found.test_images, found.test_labels, missing);
      if (found.complete(wanted)) {
        found.searched = std::move(searched);
        return found;
      }
      reason = concat(" (no ", missing, ")");
      if (!partial && (!found.train_images.empty() || !found.test_images.empty())) partial = found;
      if (folder != fs::path(place.folder)) searched.push_back(concat(place.label, folder.string(), reason));
    }
    searched.push_back(concat(place.label, place.folder, reason));
  }
  FoundFiles out = partial.value_or(named);
  out.searched = std::move(searched);
  return out;
}

}  // namespace cbnet::data
