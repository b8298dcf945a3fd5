#include "data/dataset.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <thread>

#include "tests/data/files.h"

using cbnet::DType;
using cbnet::Shape;
using namespace cbnet::data;
using namespace cbnet::test;

namespace {

Location only(const std::string& folder) {
  Location location;
  location.data_dir = folder;
  location.cache_dir = "";
  location.system_dirs = {};
  location.use_environment = false;
  location.allow_download = false;
  return location;
}

}  // namespace

TEST_CASE("dataset: files that do not fit, each with its own message") {
  const TempFolder folder;
  put(folder / "images", idx_images(20));
  put(folder / "labels", idx_labels(20));
  CHECK(read_split(folder / "images", folder / "labels").size() == 20);
  CHECK_INPUT_ERROR(read_split(folder / "labels", folder / "images"),
                    "/labels: expected images of shape (N,H,W); found (20)");
  CHECK_INPUT_ERROR(read_split(folder / "images", folder / "images"),
                    "/images: expected labels of shape (N); found (20,28,28)");
  put(folder / "wide", idx_images(20, 32));
  CHECK(read_split(folder / "wide", folder / "labels").image_shape() == Shape{1, 32, 32});
  put(folder / "fewer", idx_labels(19));
  CHECK_INPUT_ERROR(read_split(folder / "images", folder / "fewer"),
                    "/fewer: expected 20 labels, one for each image of ");
  CHECK_INPUT_ERROR(read_split(folder / "images", folder / "fewer"),
                    "found 19 labels; hint: take both files");
  std::string bad = idx_labels(20);
  bad[8 + 13] = 10;
  put(folder / "bad", bad);
  CHECK_INPUT_ERROR(read_split(folder / "images", folder / "bad", 10),
                    "/bad: expected labels from 0 to 9; found label 10 at position 13");
}

TEST_CASE("dataset: nowhere to be found, and no download allowed") {
  const TempFolder folder;
  const auto load = [&] { load_dataset(DatasetId::fmnist, only(folder.path())); };
  put(folder / "notes.txt", "x");
  CHECK_INPUT_ERROR(load(),
                    "dataset fmnist in --data-dir " + folder.path() +
                        ": expected files named train-images-idx3-ubyte and train-labels-idx1-ubyte; ");
  CHECK_INPUT_ERROR(load(), "found no complete set in --data-dir");
  CHECK_INPUT_ERROR(load(), "; there is notes.txt; hint: give the files these names");
  Location searched = only("");
  searched.cache_dir = folder.path();
  CHECK_INPUT_ERROR(load_dataset(DatasetId::fmnist, searched),
                    "dataset fmnist: expected the images and labels of its training and test set; found no "
                    "complete set in " +
                        folder.path());
  CHECK_INPUT_ERROR(load_dataset(DatasetId::fmnist, searched),
                    "hint: install the package dataset-fashion-mnist");
  Location none = only("");
  CHECK_INPUT_ERROR(load_dataset(DatasetId::mnist, none),
                    "found no complete set in no folder; hint: allow the download");
}

TEST_CASE("dataset: the excerpt of Fashion-MNIST") {
  const Dataset set = load_dataset(DatasetId::fmnist, only(excerpt_folder()));
  CHECK(set.name == "fmnist");
  CHECK(set.classes[8] == "Bag");
  CHECK(set.files[3] == excerpt_folder() + "/t10k-labels-idx1-ubyte.gz");
  CHECK(set.train.images.shape() == Shape{200, 1, 28, 28});
  CHECK(set.train.images.dtype() == DType::u8);
  CHECK(set.test.images.shape() == Shape{100, 1, 28, 28});
  const auto labels = set.train.labels.to_vector<int>();
  for (int label = 0; label < 10; ++label) CHECK(std::count(labels.begin(), labels.end(), label) == 20);
  // The first training image is an ankle boot; its sole is the brightest part of the lower half.
  CHECK(labels[0] == 9);
  CHECK(set.train.images.at({0, 0, 0, 0}) == 0.0);
}

TEST_CASE("dataset: one's own images, as many as there are") {
  const TempFolder folder;
  put(folder / "train-images.idx3-ubyte", idx_images(1000));
  put(folder / "train-labels.idx1-ubyte", idx_labels(1000));
  put(folder / "t10k-images.idx3-ubyte", idx_images(50));
  put(folder / "t10k-labels.idx1-ubyte", idx_labels(50));
  Location location = only(folder.path());
  location.system_dirs = Location().system_dirs;  // where a whole set may be
  const Dataset set = load_dataset(DatasetId::fmnist, location);
  CHECK(set.train.size() == 1000);
  CHECK(set.test.size() == 50);
  CHECK(set.files[0] == folder / "train-images.idx3-ubyte");
  put(folder / "t10k-images.idx3-ubyte", idx_images(50, 30));
  CHECK_INPUT_ERROR(load_dataset(DatasetId::fmnist, location),
                    "expected pictures as those to train on, 28x28 grey; found 30x30 grey");
}

TEST_CASE("dataset: images and labels through pipes") {
  const TempFolder folder;
  const std::string images = folder / "images";
  const std::string labels = folder / "labels";
  REQUIRE(::mkfifo(images.c_str(), 0600) == 0);
  REQUIRE(::mkfifo(labels.c_str(), 0600) == 0);
  std::thread writer([&] {
    cbnet::write_file_atomic(images, gzip(idx_images(200)));
    cbnet::write_file_atomic(labels, idx_labels(200));
  });
  CHECK(read_split(images, labels).size() == 200);
  writer.join();
}

TEST_CASE("dataset: npz files, and the subset's own name") {
  const TempFolder folder;
  std::string labels;
  for (int i = 0; i < 7011; ++i) labels += static_cast<char>(i % 10);
  put(folder / "k/train-first7011-images-idx3-ubyte.gz", gzip(idx_images(7011)));
  put(folder / "k/train-first7011-labels-idx1-ubyte.gz", gzip(idx_labels(7011)));
  put(folder / "k/train-labels-idx1-ubyte.gz", gzip(idx_labels(60000)));
  put_zip(folder / "k/kmnist-test-imgs.npz", "arr_0.npy",
          npy("|u1", "(3, 28, 28)", std::string(3 * 784, 'x')));
  put_zip(folder / "k/kmnist-test-labels.npz", "arr_0.npy", npy("|u1", "(3,)", std::string("\1\2\3")));
  const Dataset set = load_dataset(DatasetId::kmnist, only(folder / "k"));
  CHECK(set.name == "kmnist-first7011");
  CHECK(set.train.size() == 7011);
  CHECK(set.test.size() == 3);
  CHECK(set.test.images.at({2, 0, 27, 27}) == 'x');
  CHECK(set.test.labels.to_vector<int>() == std::vector<int>{1, 2, 3});
  put_dataset(folder / "k");
  CHECK(load_dataset(DatasetId::kmnist, only(folder / "k")).name == "kmnist");
}

TEST_CASE("dataset: mean and deviation of each channel, in pixels from 0 to 1") {
  CHECK_INVALID(measure(cbnet::Tensor::zeros({2, 2, 2}, DType::u8)), "[measure] images must be u8 (N,C,H,W)");
  const auto images = cbnet::Tensor::from<std::uint8_t>({0, 255, 51, 51, 255, 0, 51, 51}, {2, 2, 1, 2});
  const Statistics found = measure(images);
  CHECK(found.mean[0] == doctest::Approx(0.5));
  CHECK(found.deviation[0] == doctest::Approx(0.5));
  CHECK(found.mean[1] == doctest::Approx(0.2));
  CHECK(found.deviation[1] == 1.0);  // of one value throughout
}
