#pragma once

#include "data/dataset.h"
#include "tensor/rng.h"

namespace cbnet::testing {

/// Ten classes of 28x28 images that differ by where a bright bar stands: small, but learnable.
inline data::Dataset bar_dataset(std::int64_t train, std::int64_t test) {
  const auto split = [](std::int64_t count, std::uint64_t seed) {
    Rng rng(seed);
    data::Split out{Tensor::zeros({count, 1, 28, 28}, DType::u8), Tensor::zeros({count}, DType::u8)};
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t label = i % 10;
      out.labels.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(label);
      std::uint8_t* pixels = out.images.data<std::uint8_t>() + i * 784;
      for (std::int64_t p = 0; p < 784; ++p) pixels[p] = static_cast<std::uint8_t>(rng.below(60));
      for (std::int64_t x = 4; x < 24; ++x) pixels[(2 + label * 5 / 2) * 28 + x] = 255;
    }
    return out;
  };
  data::Dataset out;
  out.name = "fmnist";
  out.train = split(train, 1);
  out.test = split(test, 2);
  out.classes = data::class_names(data::DatasetId::fmnist);
  return out;
}

}  // namespace cbnet::testing
