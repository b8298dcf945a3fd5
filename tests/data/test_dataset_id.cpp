#include "data/dataset_id.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "tests/data/files.h"

using namespace cbnet::data;

TEST_CASE("dataset_id: an unknown name is refused") {
  CHECK_INVALID(parse_dataset_id("cifar"),
                "[dataset] name must be mnist, fmnist (or fashion-mnist), kmnist or cifar10; got cifar");
  CHECK_INVALID(parse_dataset_id(""), "got ");
}

TEST_CASE("dataset_id: names there and back") {
  for (const DatasetId id : kAllDatasets) CHECK(parse_dataset_id(to_string(id)) == id);
  CHECK(parse_dataset_id("fashion-mnist") == DatasetId::fmnist);
  CHECK(std::string(title(DatasetId::fmnist)) == "Fashion-MNIST");
  CHECK(std::string(title(DatasetId::kmnist)) == "KMNIST");
  CHECK(known_dataset("kmnist-first7011") == DatasetId::kmnist);
  CHECK(known_dataset("cifar10") == DatasetId::cifar10);
  for (const char* other : {"mnist-mine", "my-mnist", "flowers", "fashion-mnist", ""})
    CHECK_FALSE(known_dataset(other));
}

TEST_CASE("dataset_id: ten different classes in the published order") {
  for (const DatasetId id : kAllDatasets) {
    const auto names = class_names(id);
    CHECK(names.size() == 10);
    CHECK(std::set<std::string>(names.begin(), names.end()).size() == 10);
  }
  CHECK(class_names(DatasetId::mnist)[7] == "7");
  CHECK(class_names(DatasetId::fmnist)[0] == "T-shirt/top");
  CHECK(class_names(DatasetId::fmnist)[9] == "Ankle boot");
  CHECK(class_names(DatasetId::kmnist)[0] == "o");
  CHECK(class_names(DatasetId::kmnist)[9] == "wo");
}
