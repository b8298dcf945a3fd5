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
  location = nowhere();
  location.data_dir = folder / "none";
  CHECK_INPUT_ERROR(find_dataset(DatasetId::mnist, location),
                    "/none: expected a folder; found no such folder; hint: check --data-dir");
  location = nowhere();
  location.use_environment = true;
  ::setenv("CBNET_DATA", (folder / "lost").c_str(), 1);
  CHECK_INPUT_ERROR(find_dataset(DatasetId::mnist, location),
                    "/lost: expected a folder; found no such folder; hint: check $CBNET_DATA");
  ::unsetenv("CBNET_DATA");
}

TEST_CASE("locate: a named file may be the standard input, a pipe or a device") {
  Location location = nowhere();
  location.train_images = location.test_images = "-";
  location.train_labels = location.test_labels = "/dev/null";
  CHECK(find_dataset(DatasetId::mnist, location).complete());
}

TEST_CASE("locate: a folder that was named has the whole dataset, or nothing else is taken") {
  const TempFolder folder;
  put_dataset(folder / "elsewhere");
  Location location = nowhere();
  location.cache_dir = folder / "elsewhere";
  location.data_dir = folder / "mine";
  const char* names[] = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte",
                         "t10k-labels-idx1-ubyte"};
  for (const char* missing : names) {
    CAPTURE(std::string(missing));
    put_dataset(folder / "mine");
    put(folder / "mine/notes.txt", "x");
    std::filesystem::remove(folder / ("mine/" + std::string(missing)));
    const FoundFiles found = find_dataset(DatasetId::mnist, location);
    CHECK_FALSE(found.complete());
    CHECK(found.refused == "--data-dir " + (folder / "mine"));
    CHECK_HAS(found.expected,
              "train-images-idx3-ubyte and train-labels-idx1-ubyte; t10k-images-idx3-ubyte and ");
    CHECK_HAS(found.present, "notes.txt");
    CHECK(found.present.find(missing) == std::string::npos);
    CHECK(found.searched.size() == 1);
  }
  std::filesystem::remove_all(folder / "mine");
  std::filesystem::create_directories(folder / "mine");
  CHECK(find_dataset(DatasetId::mnist, location).present == "nothing");
  for (int i = 10; i < 40; ++i) put(folder / ("mine/" + std::to_string(i)), "");
  CHECK_HAS(find_dataset(DatasetId::mnist, location).present, "10, 11, 12");
  CHECK_HAS(find_dataset(DatasetId::mnist, location).present, " and 18 more");
}

TEST_CASE("locate: $CBNET_DATA may hold other datasets, but no part of this one") {
  const TempFolder folder;
  put_dataset(folder / "elsewhere");
  put_dataset(folder / "root/kmnist");
  Location location = nowhere();
  location.use_environment = true;
  location.cache_dir = folder / "elsewhere";
  ::setenv("CBNET_DATA", (folder / "root").c_str(), 1);
  CHECK(find_dataset(DatasetId::kmnist, location).train_images ==
        folder / "root/kmnist/train-images-idx3-ubyte.gz");
  CHECK(find_dataset(DatasetId::mnist, location).train_images ==
        folder / "elsewhere/train-images-idx3-ubyte.gz");
  put(folder / "root/mnist/t10k-labels-idx1-ubyte", "x");  // one file alone
  const FoundFiles found = find_dataset(DatasetId::mnist, location);
  CHECK_FALSE(found.complete());
  CHECK(found.refused == "$CBNET_DATA " + (folder / "root"));
  ::unsetenv("CBNET_DATA");
}

TEST_CASE("locate: the names that archive managers, sites and other loaders leave") {
  for (const std::string names : {"train-images.idx3-ubyte train-labels.idx1-ubyte",
                                  "train-images.idx3-ubyte.gz train-labels.idx1-ubyte.gz",
                                  "Train-Images.IDX3-UBYTE TRAIN-LABELS-IDX1-UBYTE.GZ",
                                  "train_images_idx3_ubyte train_labels_idx1_ubyte",
                                  "train-images-idx3-ubyte/train-images-idx3-ubyte "
                                  "train-labels.idx1-ubyte/train-labels.idx1-ubyte"}) {
    const TempFolder folder;
    const std::size_t blank = names.find(' ');
    const std::string images = names.substr(0, blank);
    const std::string labels = names.substr(blank + 1);
    const auto test_name = [](std::string name, const std::string& as) {
      for (std::size_t at = 0; (at = name.find("rain", at)) != std::string::npos;) name.replace(--at, 5, as);
      if (const std::size_t at = name.find("RAIN"); at != std::string::npos) name.replace(at - 1, 5, as);
      return name;
    };
    for (const std::string as : {"t10k", "test"}) {
      const std::string test_images = test_name(images, as);
      const std::string test_labels = test_name(labels, as);
      for (const std::string& name : {images, labels, test_images, test_labels})
        put(folder / (as + "/" + name), "x");
      Location location = nowhere();
      location.data_dir = folder / as;
      const FoundFiles found = find_dataset(DatasetId::fmnist, location);
      INFO(names << ": " << all_searched(found));
      CHECK(found.all() ==
            std::vector<std::string>{folder / (as + "/" + images), folder / (as + "/" + labels),
                                     folder / (as + "/" + test_images), folder / (as + "/" + test_labels)});
    }
  }
}

TEST_CASE("locate: torchvision's folders, named themselves or from above, and never another dataset's") {
  const TempFolder folder;
  for (const char* name : {"FashionMNIST/raw", "MNIST/raw", "KMNIST/raw"}) put_dataset(folder / name);
  Location location = nowhere();
  const std::pair<DatasetId, std::string> sets[] = {
      {DatasetId::fmnist, "FashionMNIST"}, {DatasetId::mnist, "MNIST"}, {DatasetId::kmnist, "KMNIST"}};
  for (const auto& [id, name] : sets) {
    const std::string raw = folder / (name + "/raw");
    for (const std::string& named : {folder.path(), folder / name, raw, raw + "/"}) {
      location.data_dir = named;
      const FoundFiles found = find_dataset(id, location);
      CHECK(std::filesystem::path(found.train_images).lexically_normal() ==
            raw + "/train-images-idx3-ubyte.gz");
      for (const auto& [other, other_name] : sets) {
        if (other != id && named != folder.path()) CHECK_FALSE(find_dataset(other, location).complete());
      }
    }
  }
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
  const FoundFiles named = find_dataset(DatasetId::mnist, location, Splits::test);
  CHECK_FALSE(named.complete(Splits::test));
  CHECK(named.expected.find("train") == std::string::npos);
  location.data_dir.clear();
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
