#include "data/locate.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "data/loaders/cifar10.h"
#include "tensor/error.h"

namespace cbnet::data {
namespace {

namespace fs = std::filesystem;

struct Pair {
  std::string images;
  std::string labels;
};

struct Place {
  std::string folder;
  std::string label;
  bool named = false;      // by the user
  bool must_have = false;  // nothing else will do
};

Pair twice(const char* name) { return {name, name}; }

std::vector<Pair> train_names(DatasetId id) {
  if (id == DatasetId::cifar10)
    return {twice("data_batch_1.bin"), twice("cifar-10-binary.tar"), twice("data_batch_1-first2000.bin")};
  std::vector<Pair> names{{"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}};
  if (id == DatasetId::kmnist) {
    names.push_back({"kmnist-train-imgs.npz", "kmnist-train-labels.npz"});
    names.push_back({"train-first7011-images-idx3-ubyte", "train-first7011-labels-idx1-ubyte"});
  }
  return names;
}

std::vector<Pair> test_names(DatasetId id) {
  if (id == DatasetId::cifar10)
    return {twice("test_batch.bin"), twice("cifar-10-binary.tar"), twice("test_batch-first1000.bin")};
  std::vector<Pair> names{{"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}};
  if (id == DatasetId::kmnist) names.push_back({"kmnist-test-imgs.npz", "kmnist-test-labels.npz"});
  names.push_back({"test-images-idx3-ubyte", "test-labels-idx1-ubyte"});
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

/// Returns them sorted; empty when the folder cannot be read.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator at(folder, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error))
    names.push_back(at->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// Returns the name in lower case, with a hyphen for every character that programs put in its place, without
/// .gz.
std::string plain_name(std::string name) {
  for (char& c : name) {
    if (c == '.' || c == '_' || c == ' ') c = '-';
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (name.ends_with("-gz")) name.resize(name.size() - 3);
  return name;
}

/// Lists what lies in one folder, to be asked for many names.
class Listing {
 public:
  explicit Listing(const fs::path& folder) : folder_(folder), names_(names_in(folder)) {}

  /// Finds the file of that name: packed, else plain, else under a variant of the name; "" when there is
  /// none.
  std::string find(const std::string& name) const {
    for (const char* suffix : {".gz", ""}) {
      const fs::path path = folder_ / (name + suffix);
      if (is_file(path)) return path.string();
    }
    const std::string requested = plain_name(name);
    for (const std::string& there : names_) {
      if (plain_name(there) != requested) continue;
      if (is_file(folder_ / there)) return (folder_ / there).string();
      // A folder of the file's name may be around the file.
      for (const std::string& inside : names_in(folder_ / there))
        if (plain_name(inside) == requested && is_file(folder_ / there / inside))
          return (folder_ / there / inside).string();
    }
    return "";
  }

 private:
  fs::path folder_;
  std::vector<std::string> names_;
};

/// Fills in both files or none, and then appends what is missing to `missing`. True when there is any of
/// them.
bool find_pair(const Listing& listing, const std::vector<Pair>& names, std::string& images,
               std::string& labels, std::string& missing) {
  if (!images.empty()) return false;  // named by the user
  bool any = false;
  for (const Pair& pair : names) {
    const std::string found_images = listing.find(pair.images);
    const std::string found_labels = listing.find(pair.labels);
    any = any || !found_images.empty() || !found_labels.empty();
    if (found_images.empty() || found_labels.empty()) continue;
    images = found_images;
    labels = found_labels;
    return true;
  }
  for (const std::string& name : {names[0].images, names[0].labels}) {
    if (listing.find(name).empty() && !missing.ends_with(name))
      missing += concat(missing.empty() ? "" : ", ", name);
  }
  return any;
}

/// Tells whether a folder of that name is the dataset's: fmnist, fashion-mnist, FashionMNIST.
bool is_named_after(const std::string& name, DatasetId id) {
  const auto letters = [](std::string text) {
    text = plain_name(std::move(text));
    text.erase(std::remove(text.begin(), text.end(), '-'), text.end());
    return text;
  };
  const std::vector<std::string> names = folder_names(id);
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& known) { return letters(known) == letters(name); });
}

/// Tells whether the folder, or the one around its raw, bears the name of another dataset: the names of the
/// files do not tell the datasets apart, but this does.
bool is_of_another(DatasetId id, const std::string& place) {
  fs::path self = fs::path(place).lexically_normal();
  if (!self.has_filename()) self = self.parent_path();
  if (plain_name(self.filename().string()) == "raw") self = self.parent_path();
  const std::string name = self.filename().string();
  return std::any_of(kAllDatasets.begin(), kAllDatasets.end(),
                     [&](DatasetId other) { return other != id && is_named_after(name, other); });
}

/// Returns the folder as it may stand for this dataset: those named after it, then itself, each with its raw.
std::vector<fs::path> candidates(DatasetId id, const std::string& place) {
  std::vector<fs::path> out;
  const auto add = [&](const fs::path& folder) {
    if (!is_folder(folder)) return;
    out.push_back(folder);
    for (const char* inner : {"raw", "cifar-10-batches-bin"})
      if (is_folder(folder / inner)) out.push_back(folder / inner);
  };
  std::vector<std::string> names = folder_names(id);
  for (const std::string& there : names_in(place)) {
    if (is_named_after(there, id) && std::find(names.begin(), names.end(), there) == names.end())
      names.push_back(there);
  }
  for (const std::string& name : names) add(fs::path(place) / name);
  if (!is_of_another(id, place)) add(place);
  return out;
}

std::vector<Place> places(const Location& location) {
  if (!location.data_dir.empty()) return {{location.data_dir, "--data-dir ", true, true}};
  std::vector<Place> out;
  const char* environment = location.use_environment ? std::getenv("CBNET_DATA") : nullptr;
  if (environment != nullptr && *environment != '\0') out.push_back({environment, "$CBNET_DATA ", true});
  if (!location.cache_dir.empty()) out.push_back({location.cache_dir, ""});
  for (const std::string& folder : location.system_dirs) out.push_back({folder, ""});
  return out;
}

/// Lists them as "a and b, or c and d": the names of one split.
std::string list_pairs(const std::vector<Pair>& pairs) {
  std::string out;
  for (const Pair& pair : pairs)
    out += concat(out.empty() ? "" : ", or ", pair.images,
                  pair.images == pair.labels ? "" : " and " + pair.labels);
  return out;
}

std::string list_names(DatasetId id, Splits requested) {
  const std::string test = list_pairs(test_names(id));
  return requested == Splits::test ? test : concat(list_pairs(train_names(id)), "; ", test);
}

/// This is what the search of one place came to.
struct Search {
  FoundFiles found;
  bool any = false;  // there is a file of this dataset, be it alone
  std::vector<std::string> lines;
};

Search search(DatasetId id, const Place& place, const FoundFiles& named, Splits requested) {
  Search out;
  out.found = named;
  std::string reason = concat(" (named after another dataset, and holds no ", to_string(id), ")");
  for (const fs::path& folder : candidates(id, place.folder)) {
    const Listing listing(folder);
    FoundFiles found = named;
    std::string missing;
    bool any = false;
    if (requested == Splits::both)
      any = find_pair(listing, train_names(id), found.train_images, found.train_labels, missing);
    any = find_pair(listing, test_names(id), found.test_images, found.test_labels, missing) || any;
    if (found.complete(requested)) return {found, true, {}};
    reason = concat(" (no ", missing, ")");
    if (any && !out.any) out.found = found;
    out.any = out.any || any;
    if (folder != fs::path(place.folder)) out.lines.push_back(concat(place.label, folder.string(), reason));
  }
  out.lines.push_back(concat(place.label, place.folder, reason));
  return out;
}

void check_named_pair(const std::string& images, const std::string& labels, const char* split) {
  require(images.empty() == labels.empty(), "dataset", "--", split, "-images and --", split,
          "-labels must be given together; got only ", images.empty() ? labels : images);
  for (const std::string& path : {images, labels}) {
    std::error_code error;
    const bool is_input = path == "-" || (fs::exists(path, error) && !is_folder(path));
    if (path.empty() || is_input) continue;
    throw InputError(path, "a readable file", is_folder(path) ? "a folder" : "no such file");
  }
}

void check_named_folder(const std::string& folder, const std::string& where) {
  if (is_folder(folder)) return;
  throw InputError(folder, "a folder", is_file(folder) ? "a file" : "no such folder", "check " + where);
}

}  // namespace

std::string list_content(const std::string& folder) {
  constexpr std::size_t kMost = 12;
  const std::vector<std::string> names = names_in(folder);
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i)
    out += concat(i > 0 ? ", " : "", names[i], is_folder(fs::path(folder) / names[i]) ? "/" : "");
  if (names.size() > kMost) out += concat(" and ", names.size() - kMost, " more");
  return names.empty() ? "nothing" : out;
}

std::vector<std::string> FoundFiles::all() const {
  if (train_images != train_labels || test_images != test_labels)
    return {train_images, train_labels, test_images, test_labels};
  std::vector<std::string> out;
  if (!train_images.empty()) out = cifar10_files(train_images, true);
  if (test_images.empty() || test_images == train_images) return out;
  for (const std::string& file : cifar10_files(test_images, false)) out.push_back(file);
  return out;
}

FoundFiles files_in(const std::string& folder) {
  FoundFiles out;
  const Listing listing{fs::path(folder)};
  std::string missing;
  find_pair(listing, train_names(DatasetId::kmnist), out.train_images, out.train_labels, missing);
  find_pair(listing, test_names(DatasetId::kmnist), out.test_images, out.test_labels, missing);
  return out;
}

bool FoundFiles::complete(Splits requested) const {
  const bool train = !train_images.empty() && !train_labels.empty();
  return (train || requested == Splits::test) && !test_images.empty() && !test_labels.empty();
}

FoundFiles find_dataset(DatasetId id, const Location& location, Splits requested) {
  check_named_pair(location.train_images, location.train_labels, "train");
  check_named_pair(location.test_images, location.test_labels, "test");
  if (!location.data_dir.empty()) check_named_folder(location.data_dir, "--data-dir");
  FoundFiles named;
  named.train_images = location.train_images;
  named.train_labels = location.train_labels;
  named.test_images = location.test_images;
  named.test_labels = location.test_labels;
  if (named.complete(requested)) return named;

  std::optional<FoundFiles> partial;
  std::vector<std::string> searched;
  for (const Place& place : places(location)) {
    if (!is_folder(place.folder)) {
      if (place.named) check_named_folder(place.folder, place.label.substr(0, place.label.size() - 1));
      searched.push_back(concat(place.label, place.folder, " (no such folder)"));
      continue;
    }
    Search result = search(id, place, named, requested);
    searched.insert(searched.end(), result.lines.begin(), result.lines.end());
    if (!partial && result.any) partial = result.found;
    const bool ends = place.must_have || (place.named && result.any);
    if (!ends && !result.found.complete(requested)) continue;
    FoundFiles out = std::move(result.found);
    out.searched = std::move(searched);
    if (!out.complete(requested)) {
      out.refused = concat(place.label, place.folder);
      out.expected = list_names(id, requested);
      out.present = list_content(place.folder);
    }
    return out;
  }
  FoundFiles out = partial.value_or(named);
  out.searched = std::move(searched);
  return out;
}

}  // namespace cbnet::data
