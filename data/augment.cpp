#include "data/augment.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "tensor/parallel.h"
#include "tensor/rng.h"

namespace cbnet::data {
namespace {

constexpr std::uint64_t kAugmentStream = 0x6175676d656e74;  // "augment", apart from the split and the order

// to(y, x) = from(y - dy, x - dx), 0 outside; mirrored first when `flip`.
void move_image(const float* from, float* to, std::int64_t height, std::int64_t width, std::int64_t dy,
                std::int64_t dx, bool flip) {
  for (std::int64_t y = 0; y < height; ++y) {
    float* row = to + y * width;
    std::fill(row, row + width, 0.0F);
    const std::int64_t source_y = y - dy;
    if (source_y < 0 || source_y >= height) continue;
    const float* source = from + source_y * width;
    const std::int64_t first = std::max<std::int64_t>(0, dx);
    const std::int64_t last = std::min(width, width + dx);
    for (std::int64_t x = first; x < last; ++x) {
      const std::int64_t source_x = x - dx;
      row[x] = source[flip ? width - 1 - source_x : source_x];
    }
  }
}

}  // namespace

void augment(Tensor& pixels, std::span<const std::int64_t> indices, const Augmentation& augmentation,
             std::uint64_t seed, std::int64_t epoch) {
  require(pixels.defined() && pixels.rank() == 4 && pixels.size(1) == 1 && pixels.dtype() == DType::f32 &&
              pixels.is_contiguous(),
          "augment", "pixels must be contiguous f32 (B,1,H,W); got ",
          pixels.defined() ? describe(pixels) : std::string("an undefined tensor"));
  const std::int64_t height = pixels.size(2);
  const std::int64_t width = pixels.size(3);
  require(static_cast<std::int64_t>(indices.size()) == pixels.size(0), "augment",
          "one index per sample is needed; got ", indices.size(), " for ", describe(pixels));
  require(
      augmentation.shift >= 0 && (augmentation.shift == 0 || augmentation.shift < std::min(height, width)),
      "augment", "shift must be at least 0 and smaller than the image; got ", augmentation.shift);
  if (!augmentation.any()) return;

  auto* images = pixels.data<float>();
  const std::int64_t area = height * width;
  parallel_for(pixels.size(0), 16, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> original(static_cast<std::size_t>(area));
    for (std::int64_t b = begin; b < end; ++b) {
      const auto sample = static_cast<std::uint64_t>(indices[static_cast<std::size_t>(b)]);
      Rng rng(seed ^ kAugmentStream, static_cast<std::uint64_t>(epoch) << 32 | sample);
      const std::int64_t dy = rng.below(2 * augmentation.shift + 1) - augmentation.shift;
      const std::int64_t dx = rng.below(2 * augmentation.shift + 1) - augmentation.shift;
      const bool flip = augmentation.flip && rng.below(2) == 1;
      if (dy == 0 && dx == 0 && !flip) continue;
      float* image = images + b * area;
      std::memcpy(original.data(), image, original.size() * sizeof(float));
      move_image(original.data(), image, height, width, dy, dx, flip);
    }
  });
}

}  // namespace cbnet::data
