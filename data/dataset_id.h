#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cbnet::data {

/// MNIST (LeCun, Cortes, Burges 1998), Fashion-MNIST (Xiao, Rasul, Vollgraf 2017) and KMNIST (Clanuwat et
/// al. 2018): 28x28 grey images in ten classes.
enum class DatasetId : std::uint8_t { mnist, fmnist, kmnist };

inline constexpr std::array<DatasetId, 3> kAllDatasets{DatasetId::mnist, DatasetId::fmnist,
                                                       DatasetId::kmnist};
/// "mnist", "fmnist" or "kmnist".
const char* to_string(DatasetId id);
/// Also takes "fashion-mnist". Throws std::invalid_argument on any other name.
DatasetId parse_dataset_id(std::string_view name);
/// The dataset that a model's says it was trained on: also of "kmnist-first7011", a part of one. Nothing for
/// any other name.
std::optional<DatasetId> known_dataset(std::string_view name);
/// "MNIST", "Fashion-MNIST" or "KMNIST".
const char* title(DatasetId id);
/// Ten names, by label.
std::vector<std::string> class_names(DatasetId id);
/// Of one image, as published: (C,H,W).
std::vector<std::int64_t> image_shape(DatasetId id);
/// What a folder with the dataset's files may be called.
std::vector<std::string> folder_names(DatasetId id);

}  // namespace cbnet::data
