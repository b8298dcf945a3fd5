#include "train/copies.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/batches.h"
#include "tensor/rng.h"

namespace cbnet {
namespace {

constexpr std::uint64_t kMixStream = 0x6d6978;  // "mix", apart from augmentation
constexpr std::int64_t kBlock = 1000;           // images at a time, between u8 and f32

/// Draws what a copy is mixed with, and how much of that it takes.
struct Mix {
  std::size_t partner = 0;  // position among the images that train
  float share = 0.0F;

  static Mix draw(const TrainRecipe& recipe, std::size_t images, std::uint64_t seed, std::int64_t stream) {
    Rng rng(seed ^ kMixStream, static_cast<std::uint64_t>(stream));
    const auto partner = static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(images)));
    return {partner, static_cast<float>(rng.uniform() * recipe.mixup)};
  }
};

/// Rounds pixels in [0, 1] to u8.
void round_to(const Tensor& pixels, Tensor out) {
  const auto* from = pixels.data<float>();
  auto* to = out.data<std::uint8_t>();
  for (std::int64_t i = 0; i < pixels.numel(); ++i)
    to[i] = static_cast<std::uint8_t>(std::lround(std::min(std::max(from[i], 0.0F), 1.0F) * 255.0F));
}

}  // namespace

TrainingImages training_images(const TrainingData& data, const TrainRecipe& recipe, std::int64_t classes,
                               std::uint64_t seed) {
  const std::vector<std::int64_t>& train = data.split.train;
  if (recipe.copies == 0) return {data.images, data.labels, train, {}};
  const auto count = static_cast<std::int64_t>(train.size()), all = count * (1 + recipe.copies);
  Shape shape = data.images.shape();
  shape[0] = all;
  TrainingImages out{Tensor::empty(shape, DType::u8), Tensor::empty({all}, DType::i64), {}, {}};
  out.indices.resize(static_cast<std::size_t>(all));
  std::iota(out.indices.begin(), out.indices.end(), std::int64_t{0});
  if (recipe.mixup > 0) out.shares = Tensor::zeros({all, classes});
  const std::vector<std::int64_t> labels = data::gather(data.labels, train).to_vector<std::int64_t>();
  for (std::int64_t copy = 0; copy <= recipe.copies; ++copy) {
    for (std::int64_t begin = 0; begin < count; begin += kBlock) {
      const std::int64_t end = std::min(begin + kBlock, count), at = copy * count;
      const std::vector<std::int64_t> block(train.begin() + begin, train.begin() + end);
      Tensor pixels = data::to_float(data.images, block);
      const std::int64_t area = pixels.numel() / (end - begin);
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t label = labels[static_cast<std::size_t>(i)];
        out.labels.data<std::int64_t>()[at + i] = label;
        if (!out.shares.defined()) continue;
        float* shares = out.shares.data<float>() + (at + i) * classes;
        const Mix mix = copy == 0 ? Mix{}
                                  : Mix::draw(recipe, train.size(), seed,
                                              copy << 32 | train[static_cast<std::size_t>(i)]);
        shares[label] += 1 - mix.share;
        shares[labels[mix.partner]] += mix.share;
        if (mix.share == 0) continue;
        const Tensor partner = data::to_float(data.images, {train[mix.partner]});
        float* mixed = pixels.data<float>() + (i - begin) * area;
        const auto* other = partner.data<float>();
        for (std::int64_t p = 0; p < area; ++p) mixed[p] += mix.share * (other[p] - mixed[p]);
      }
      if (copy > 0) data::augment(pixels, block, recipe.augmentation, seed, copy);
      round_to(pixels, out.images.slice(0, at + begin, at + end));
    }
  }
  return out;
}

}  // namespace cbnet
