#include "data/dataset_id.h"

#include "tensor/error.h"

namespace cbnet::data {

const char* to_string(DatasetId id) {
  constexpr const char* kNames[] = {"mnist", "fmnist", "kmnist", "cifar10"};
  return kNames[static_cast<int>(id)];
}

DatasetId parse_dataset_id(std::string_view name) {
  for (const DatasetId id : kAllDatasets) {
    for (const std::string& known : folder_names(id)) {
      if (name == known) return id;
    }
  }
  require(false, "dataset", "name must be mnist, fmnist (or fashion-mnist), kmnist or cifar10; got ", name);
  return DatasetId::mnist;
}

std::optional<DatasetId> known_dataset(std::string_view name) {
  name = name.substr(0, name.find("-first"));
  for (const DatasetId id : kAllDatasets)
    if (name == to_string(id)) return id;
  return std::nullopt;
}

const char* title(DatasetId id) {
  constexpr const char* kTitles[] = {"MNIST", "Fashion-MNIST", "KMNIST", "CIFAR-10"};
  return kTitles[static_cast<int>(id)];
}

std::vector<std::string> class_names(DatasetId id) {
  switch (id) {
    case DatasetId::fmnist:
      return {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
              "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
    case DatasetId::kmnist:
      return {"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"};
    case DatasetId::cifar10:
      return {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
    case DatasetId::mnist:
      break;
  }
  return {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
}

std::vector<std::int64_t> image_shape(DatasetId id) {
  if (id == DatasetId::cifar10) return {3, 32, 32};
  return {1, 28, 28};
}

std::vector<std::string> folder_names(DatasetId id) {
  if (id == DatasetId::fmnist) return {"fmnist", "fashion-mnist"};
  if (id == DatasetId::cifar10) return {"cifar10", "cifar-10", "cifar-10-batches-bin"};
  return {to_string(id)};
}

}  // namespace cbnet::data
