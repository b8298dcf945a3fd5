#include "data/loaders/cifar10.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/data/cifar_bytes.h"
#include "tests/data/files.h"

using cbnet::Shape;
using namespace cbnet::data;
using namespace cbnet::test;

namespace {

void put_batches(const TempFolder& folder, int count) {
  for (const auto& [name, content] : cifar_files(count)) put(folder / name, content);
}

Dataset load(const std::string& path) {
  REQUIRE(cifar10_loader().recognises(path));
  return cifar10_loader().load(path, {});
}

}  // namespace

TEST_CASE("cifar10: damaged, missing and foreign files") {
  const TempFolder folder;
  const std::string batches = folder / "cifar-10-batches-bin";
  CHECK_FALSE(cifar10_loader().recognises(folder.path()));
  put_batches(folder, 4);
  std::filesystem::remove(batches + "/data_batch_3.bin");
  CHECK_INPUT_ERROR(load(folder.path()),
                    "expected data_batch_1.bin to data_batch_5.bin; found no data_batch_3.bin");
  put(batches + "/data_batch_3.bin", cifar_batch(4).substr(0, 3073 * 3 + 100));
  CHECK_INPUT_ERROR(
      load(folder.path()),
      "data_batch_3.bin: expected whole records of 3073 bytes; found 100 bytes behind the last of 11");
  put(batches + "/data_batch_3.bin", "");
  CHECK_INPUT_ERROR(load(folder.path()),
                    "data_batch_3.bin: expected pictures of CIFAR-10; found an empty file");
  std::string wrong = cifar_batch(4);
  wrong[3073 * 2] = 42;
  put(batches + "/data_batch_3.bin", wrong);
  CHECK_INPUT_ERROR(load(folder.path()), "expected labels from 0 to 9; found label 42 at position 10");
  put(batches + "/data_batch_3.bin", gzip(cifar_batch(4)).substr(0, 60));
  CHECK_INPUT_ERROR(load(folder.path()), "data_batch_3.bin: expected a whole gzip file");
}

TEST_CASE("cifar10: the folder, or one around it, planes in the order red, green, blue") {
  const TempFolder folder;
  put_batches(folder, 4);
  for (const std::string& path : {folder.path(), folder / "cifar-10-batches-bin"}) {
    const Dataset set = load(path);
    CHECK(set.train.images.shape() == Shape{20, 3, 32, 32});
    CHECK(set.test.images.shape() == Shape{4, 3, 32, 32});
    CHECK(set.files.size() == 6);
    CHECK(set.classes[8] == "ship");
    CHECK(set.train.labels.at({13}) == 3);
    for (int c = 0; c < 3; ++c) CHECK(set.train.images.at({13, c, 5, 31}) == 130 + c);
    CHECK(set.test.labels.at({2}) == 9);
    CHECK(set.test.images.at({2, 2, 0, 0}) == 92);
  }
}

TEST_CASE("cifar10: the archive, and archives that are damaged") {
  const TempFolder folder;
  const std::string file = folder / "cifar-10-binary.tar.gz", archive = tar(cifar_files(4));
  put(file, gzip(archive));
  const Dataset whole = load(file);
  put_batches(folder, 4);
  const Dataset unpacked = load(folder / "cifar-10-batches-bin");
  CHECK(whole.train.labels.to_vector<int>() == unpacked.train.labels.to_vector<int>());
  CHECK(whole.train.images.to_vector<int>() == unpacked.train.images.to_vector<int>());
  CHECK(whole.test.images.to_vector<int>() == unpacked.test.images.to_vector<int>());
  CHECK(whole.files == std::vector<std::string>{file});
  put(file, gzip(archive.substr(0, archive.size() / 2 / 512 * 512)));
  CHECK_INPUT_ERROR(load(file), "cifar-10-binary.tar.gz");
  put(file, gzip(archive).substr(0, gzip(archive).size() - 6));
  CHECK_INPUT_ERROR(load(file), "expected a whole gzip file");
  put(file, gzip("this is no archive" + std::string(2000, 'x')));
  CHECK_INPUT_ERROR(load(file), "expected a tar archive; found a block that is no header");
  put(file, gzip(tar({{"photos/cat.bin", "x"}})));
  CHECK_INPUT_ERROR(load(file), "expected an archive of CIFAR-10 with 5 batches; found 0 before its end");
}

TEST_CASE("cifar10: by its name, whole or the beginnings of batches under a name of their own") {
  const TempFolder folder;
  put(folder / "c/data_batch_1-first20.bin", "");
  Location location;
  location.data_dir = folder / "c";
  CHECK_INPUT_ERROR(load_dataset(DatasetId::cifar10, location),
                    "expected files named data_batch_1.bin, or cifar-10-binary.tar");
  std::filesystem::remove(folder / "c/data_batch_1-first20.bin");
  put(folder / "c/data_batch_1-first2000.bin.gz", gzip(cifar_batch(30)));
  put(folder / "c/test_batch-first1000.bin.gz", gzip(cifar_batch(20)));
  const Dataset part = load_dataset(DatasetId::cifar10, location);
  CHECK(part.name == "cifar10-first30");
  CHECK(known_dataset(part.name) == DatasetId::cifar10);
  CHECK(part.test.size() == 20);
  CHECK(part.files.size() == 2);
  put(folder / "d/cifar-10-binary.tar.gz", gzip(tar(cifar_files(3))));
  location.data_dir = folder / "d";
  const Dataset archive = load_dataset(DatasetId::cifar10, location);
  CHECK(archive.train.size() == 15);
  CHECK(archive.files.size() == 1);
}
