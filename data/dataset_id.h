#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cbnet::data {

/// These are MNIST (LeCun, Cortes, Burges 1998), Fashion-MNIST (Xiao, Rasul, Vollgraf 2017) and KMNIST
/// (Clanuwat et al. 2018), 28x28 grey images in ten classes; and CIFAR-10 (Krizhevsky 2009), 32x32 images in
/// colour in ten.
enum class DatasetId : std::uint8_t { mnist, fmnist, kmnist, cifar10 };

inline constexpr std::array<DatasetId, 4> kAllDatasets{DatasetId::mnist, DatasetId::fmnist, DatasetId::kmnist,
                                                       DatasetId::cifar10};
/// Returns "mnist", "fmnist", "kmnist" or "cifar10".
const char* to_string(DatasetId id);
/// Names are those of to_string(), "fashion-mnist" and "cifar-10". Throws std::invalid_argument on any other
/// name.
DatasetId parse_dataset_id(std::string_view name);
/// Returns the dataset that a model says it was trained on: also of "kmnist-first7011", a part of one.
/// Nothing for any other name.
std::optional<DatasetId> known_dataset(std::string_view name);
/// Returns "MNIST", "Fashion-MNIST", "KMNIST" or "CIFAR-10".
const char* title(DatasetId id);
/// Returns the ten names, by label.
std::vector<std::string> class_names(DatasetId id);
/// Returns the shape of one image as published, (C,H,W).
std::vector<std::int64_t> image_shape(DatasetId id);
/// Returns what a folder with the dataset's files may be called.
std::vector<std::string> folder_names(DatasetId id);

}  // namespace cbnet::data
