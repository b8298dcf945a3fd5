#include "data/locate.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/data/files.h"

using namespace cbnet::data;
using namespace cbnet::test;

namespace {

/// Searches nothing but what a test adds.
Location nowhere() {
  Location location;
  location.cache_dir = "";
  location.system_dirs = {};
  location.use_environment = false;
  location.allow_download = false;
  return location;
}

std::string all_searched(const FoundFiles& found) {
  std::string out;
  for (const std::string& line : found.searched) out += line + "\n";
  return out;
}

#define CHECK_HAS(text, part) CHECK_MESSAGE((text).find(part) != std::string::npos, (text))

}  // namespace

TEST_CASE("locate: half a split and missing files are refused") {
  const TempFolder folder;
  Location location = nowhere();
  location.train_images = folder / "images";
  CHECK_INVALID(find_dataset(DatasetId::mnist, location),
                "--train-images and --train-labels must be given together");
  location.train_labels = folder / "labels";
  CHECK_INPUT_ERROR(find_dataset(DatasetId::mnist, location),
                    "/images: expected a readable file; found no such file");
  location.train_images = folder.path();
  CHECK_INPUT_ERROR(find_dataset(DatasetId::mnist, location), ": expected a readable file; found a folder");
  location.train_images = "/dev/null";
  CHECK_INPUT_ERROR(find_dataset(DatasetId::mnist, location),
                    "/dev/null: expected a readable file; found a device");
  location = nowhere();
  location.data_dir = folder / "none";
  CHECK_INPUT_ERROR(find_dataset(DatasetId::mnist, location),
                    "/none: expected a folder; found no such folder; hint: check --data-dir");
}

TEST_CASE("locate: named files come first, a split at a time") {
  const TempFolder folder;
  put_dataset(folder / "set");
  put(folder / "my-images", "x");
  put(folder / "my-labels", "x");
  Location location = nowhere();
  location.data_dir = folder / "set";
  location.test_images = folder / "my-images";
  location.test_labels = folder / "my-labels";
  const FoundFiles found = find_dataset(DatasetId::mnist, location);
  CHECK(found.complete());
  CHECK(found.all() == std::vector<std::string>{folder / "set/train-images-idx3-ubyte.gz",
                                                folder / "set/train-labels-idx1-ubyte.gz",
                                                folder / "my-images", folder / "my-labels"});
}

TEST_CASE("locate: the order of places, each with a folder of the dataset's name or the files in it") {
  const TempFolder folder;
  put_dataset(folder / "a");                // directly
  put_dataset(folder / "b/fmnist");         // in a folder named after it
  put_dataset(folder / "c/fashion-mnist");  // by its other name
  put_dataset(folder / "d/fmnist");
  Location location = nowhere();
  location.data_dir = folder / "a";
  location.use_environment = true;
  location.cache_dir = folder / "c";
  location.system_dirs = {folder / "none", folder / "d"};
  ::setenv("CBNET_DATA", (folder / "b").c_str(), 1);
  const auto where = [&] {
    return std::filesystem::path(find_dataset(DatasetId::fmnist, location).train_images)
        .parent_path()
        .string();
  };
  CHECK(where() == folder / "a");
  location.data_dir = "";
  CHECK(where() == folder / "b/fmnist");
  location.use_environment = false;
  CHECK(where() == folder / "c/fashion-mnist");
  location.use_environment = true;
  ::setenv("CBNET_DATA", "", 1);
  CHECK(where() == folder / "c/fashion-mnist");
  ::unsetenv("CBNET_DATA");
  location.cache_dir = folder / "not-yet";
  CHECK(where() == folder / "d/fmnist");
  const std::string searched = all_searched(find_dataset(DatasetId::fmnist, location));
  CHECK_HAS(searched, folder / "not-yet" + " (no such folder)");
  CHECK_HAS(searched, folder / "none" + " (no such folder)");
}

TEST_CASE("locate: a folder of another dataset is passed over, and its own name wins over loose files") {
  const TempFolder folder;
  put_dataset(folder / "mnist");
  Location location = nowhere();
  location.data_dir = folder / "mnist/";
  CHECK(find_dataset(DatasetId::mnist, location).complete());
  const FoundFiles other = find_dataset(DatasetId::kmnist, location);
  CHECK_FALSE(other.complete());
  CHECK_HAS(all_searched(other), "named after another dataset, and holds no kmnist");
  put_dataset(folder / ".");
  location.data_dir = folder.path();
  CHECK(find_dataset(DatasetId::mnist, location).train_images == folder / "mnist/train-images-idx3-ubyte.gz");
}

TEST_CASE("locate: what is missing is said, and what was found is kept") {
  const TempFolder folder;
  put_dataset(folder / "set");
  std::filesystem::remove(folder / "set/train-labels-idx1-ubyte.gz");
  Location location = nowhere();
  location.data_dir = folder / "set";
  const FoundFiles found = find_dataset(DatasetId::mnist, location);
  CHECK_FALSE(found.complete());
  CHECK(found.train_images.empty());
  CHECK(found.test_images == folder / "set/t10k-images-idx3-ubyte");
  CHECK_HAS(all_searched(found), "--data-dir " + (folder / "set") + " (no train-labels-idx1-ubyte)");
}

TEST_CASE("locate: where only the test set is wanted, the first place that has it counts") {
  const TempFolder folder;
  put_dataset(folder / "whole");
  put_dataset(folder / "half");
  std::filesystem::remove(folder / "half/train-labels-idx1-ubyte.gz");
  put_dataset(folder / "train");
  std::filesystem::remove(folder / "train/t10k-images-idx3-ubyte");
  Location location = nowhere();
  location.data_dir = folder / "train";
  location.cache_dir = folder / "half";
  location.system_dirs = {folder / "whole"};
  const FoundFiles test = find_dataset(DatasetId::mnist, location, Splits::test);
  CHECK(test.complete(Splits::test));
  CHECK(test.test_images == folder / "half/t10k-images-idx3-ubyte");
  CHECK(test.train_images.empty());
  CHECK(find_dataset(DatasetId::mnist, location).test_images == folder / "whole/t10k-images-idx3-ubyte");
  location.system_dirs.clear();
  location.cache_dir.clear();
  CHECK_FALSE(find_dataset(DatasetId::mnist, location, Splits::test).complete(Splits::test));
}

TEST_CASE("locate: KMNIST's subset is taken as a pair, and only without the whole training set") {
  const TempFolder folder;
  put_dataset(folder / "kmnist");
  const std::string subset = folder / "kmnist/train-first7011-";
  put(subset + "images-idx3-ubyte.gz", "x");
  put(subset + "labels-idx1-ubyte.gz", "x");
  Location location = nowhere();
  location.data_dir = folder.path();
  CHECK(find_dataset(DatasetId::kmnist, location).train_images ==
        folder / "kmnist/train-images-idx3-ubyte.gz");
  std::filesystem::remove(folder / "kmnist/train-images-idx3-ubyte.gz");  // the 60,000 labels stay
  const FoundFiles found = find_dataset(DatasetId::kmnist, location);
  CHECK(found.train_images == subset + "images-idx3-ubyte.gz");
  CHECK(found.train_labels == subset + "labels-idx1-ubyte.gz");
  std::filesystem::remove(subset + "labels-idx1-ubyte.gz");
  CHECK(find_dataset(DatasetId::kmnist, location).train_images.empty());
}

TEST_CASE("locate: KMNIST's npz files") {
  const TempFolder folder;
  for (const char* name : {"train-imgs", "train-labels", "test-imgs", "test-labels"}) {
    put(folder / ("kmnist-" + std::string(name) + ".npz"), "x");
  }
  Location location = nowhere();
  location.data_dir = folder.path();
  CHECK(find_dataset(DatasetId::kmnist, location).test_labels == folder / "kmnist-test-labels.npz");
  CHECK_FALSE(find_dataset(DatasetId::mnist, location).complete());
}
