#include "data/loader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/data/cifar_bytes.h"
#include "tests/data/files.h"

using cbnet::DType;
using cbnet::Shape;
using cbnet::Tensor;
using namespace cbnet::data;
using namespace cbnet::test;

namespace {

Source at(const std::string& path) {
  Source out;
  out.path = path;
  return out;
}

}  // namespace

TEST_CASE("loader: what lies there and what is understood, where they do not meet") {
  const TempFolder folder;
  CHECK_INPUT_ERROR(loader_for(folder / "none"), "or a folder with one subfolder of pictures a class");
  CHECK_INPUT_ERROR(loader_for(folder / "none"), "found no such file or folder; hint: check --data");
  put(folder / "a.txt", "x");
  CHECK_INPUT_ERROR(loader_for(folder.path()), "found a folder with a.txt");
  CHECK_INPUT_ERROR(loader_for(folder / "a.txt"), "found a file of another kind");
}

TEST_CASE("loader: every one of the list has a name, and knows its own alone") {
  const TempFolder folder;
  put_dataset(folder / "idx");
  add_to_zip(folder / "a.npz", "x_train.npy", npy("|u1", "(1, 2, 2)", "abcd"));
  put(folder / "cifar/data_batch_1-first2.bin", cifar_batch(2));
  write_png(folder / "pictures/a/1.png", Tensor::zeros({1, 2, 2}, DType::u8));
  const std::vector<std::pair<std::string, std::string>> places{
      {"idx", "idx"}, {"a.npz", "npz"}, {"cifar", "cifar10"}, {"pictures", "pictures"}};
  REQUIRE(loaders().size() == places.size());
  for (const auto& [place, name] : places) {
    CHECK(loader_for(folder / place).name == name);
    CHECK(std::count_if(loaders().begin(), loaders().end(), [&, path = folder / place](const Loader& loader) {
            return loader.recognises(path);
          }) == 1);
  }
}

TEST_CASE("loader: a path's name, its classes, and a test set that is cut off, the same of every class") {
  const TempFolder folder;
  put(folder / "mnist/train-images-idx3-ubyte", idx_images(120, 5));
  put(folder / "mnist/train-labels-idx1-ubyte", idx_labels(120));
  Source source = at(folder / "mnist/");
  const Dataset set = load_dataset(source);
  CHECK(set.name == "my-mnist");  // not MNIST, which others could be compared with
  CHECK(set.classes.size() == 10);
  CHECK(set.cut_off);
  CHECK(set.train.size() == 100);
  CHECK(set.test.size() == 20);
  const auto labels = set.test.labels.to_vector<int>();
  for (int label = 0; label < 10; ++label) CHECK(std::count(labels.begin(), labels.end(), label) == 2);
  // Every image is in one of the two: its pixels are its number.
  std::vector<int> all;
  for (const Tensor& images : {set.train.images, set.test.images}) {
    for (std::int64_t i = 0; i < images.size(0); ++i)
      all.push_back(static_cast<int>(images.at({i, 0, 0, 0})));
  }
  std::sort(all.begin(), all.end());
  for (int i = 0; i < 120; ++i) CHECK(all[static_cast<std::size_t>(i)] == i);
  CHECK(load_dataset(source).test.images.to_vector<int>() == set.test.images.to_vector<int>());
  source.split_seed = 2;
  CHECK(load_dataset(source).test.images.to_vector<int>() != set.test.images.to_vector<int>());
  source.test_fraction = 0.5;
  CHECK(load_dataset(source).test.size() == 60);
  source.test_fraction = 0.001;
  CHECK_INPUT_ERROR(load_dataset(source), "expected pictures enough to cut a test set off");
}

TEST_CASE("loader: pictures are resized and given channels, whatever they were read from") {
  const TempFolder folder;
  put_dataset(folder.path());
  Source source = at(folder.path());
  source.pictures = {.height = 7, .width = 9, .channels = 3};
  CHECK(load_dataset(source).train.images.shape() == Shape{20, 3, 7, 9});
  source.id = DatasetId::mnist;
  source.location.data_dir = folder.path();
  const Dataset test = load_dataset(source, Splits::test);
  CHECK(test.test.images.shape() == Shape{10, 3, 7, 9});
  CHECK_FALSE(test.train.images.defined());
  CHECK_FALSE(test.cut_off);
}
