#include "train/copies.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace cbnet;

namespace {

/// Image i of `count` is 5x5 pixels of 20 i, its label i % 3; the last one is held out.
TrainingData flat_images(std::int64_t count) {
  TrainingData out{Tensor::empty({count, 1, 5, 5}, DType::u8), Tensor::empty({count}, DType::u8), {}};
  for (std::int64_t i = 0; i < count; ++i) {
    out.images.select(0, i).fill(20.0 * static_cast<double>(i));
    out.labels.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i % 3);
    (i + 1 < count ? out.split.train : out.split.validation).push_back(i);
  }
  return out;
}

}  // namespace

TEST_CASE("without copies a stage has the images that train, where they lie") {
  const TrainingData data = flat_images(5);
  const TrainingImages set = training_images(data, {}, 3, 1);
  CHECK(set.images.shares_storage(data.images));
  CHECK(set.indices == data.split.train);
  CHECK_FALSE(set.shares.defined());
}

TEST_CASE("copies stand behind the images, each augmented in its own way, by the seed alone") {
  const TrainingData data = flat_images(9);
  TrainRecipe recipe;
  recipe.copies = 3;
  recipe.augmentation.shift = 2;
  const TrainingImages set = training_images(data, recipe, 3, 7);
  REQUIRE(set.images.shape() == Shape{32, 1, 5, 5});
  CHECK(set.indices.size() == 32);
  CHECK(set.images.slice(0, 0, 8).to_vector<std::uint8_t>() ==
        data.images.slice(0, 0, 8).to_vector<std::uint8_t>());
  const auto labels = set.labels.to_vector<std::int64_t>();
  std::int64_t moved = 0;
  for (std::int64_t i = 0; i < 32; ++i) {
    CHECK(labels[static_cast<std::size_t>(i)] == i % 8 % 3);
    const auto pixels = set.images.select(0, i).to_vector<std::uint8_t>();
    CHECK(pixels[12] == 20 * (i % 8));  // no shift of two reaches the centre
    moved += pixels != set.images.select(0, i % 8).to_vector<std::uint8_t>() ? 1 : 0;
  }
  CHECK(moved > 12);
  CHECK(training_images(data, recipe, 3, 7).images.to_vector<std::uint8_t>() ==
        set.images.to_vector<std::uint8_t>());
  CHECK(training_images(data, recipe, 3, 8).images.to_vector<std::uint8_t>() !=
        set.images.to_vector<std::uint8_t>());
}

TEST_CASE("a mixed copy has the same shares in its pixels and in its classes") {
  const TrainingData data = flat_images(4);  // 0, 20, 40 train, one of each class
  TrainRecipe recipe;
  recipe.copies = 200;
  recipe.mixup = 0.5;
  const TrainingImages set = training_images(data, recipe, 3, 2);
  double largest = 0.0;
  for (std::int64_t i = 0; i < set.images.size(0); ++i) {
    const auto shares = set.shares.select(0, i).to_vector<float>();
    const auto own = static_cast<std::size_t>(i % 3);
    CHECK(shares[0] + shares[1] + shares[2] == doctest::Approx(1.0));
    CHECK(shares[own] >= 0.5F);
    if (i < 3) CHECK(shares[own] == 1.0F);
    const double pixel = set.images.select(0, i).to_vector<std::uint8_t>().front();
    CHECK(std::abs(pixel - 20.0 * shares[1] - 40.0 * shares[2]) <= 0.51);
    largest = std::max(largest, 1.0 - shares[own]);
  }
  CHECK(largest > 0.45);
}
