#include "data/augment.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <vector>

#include "tensor/parallel.h"
#include "tensor/rng.h"

namespace cbnet::data {
namespace {

constexpr std::uint64_t kAugmentStream = 0x6175676d656e74;  // "augment", apart from the split and the order

/// This is what one sample meets.
struct Draw {
  std::int64_t dy = 0, dx = 0;
  bool flip = false;
  std::int64_t crop_y = 0, crop_x = 0;
  double angle = 0.0;  // radians

  /// The order of the draws is fixed: what is switched off draws nothing that others would miss.
  Draw(Rng& rng, const Augmentation& from) {
    const auto offset = [&](std::int64_t max) { return rng.below(2 * max + 1) - max; };
    dy = offset(from.shift);
    dx = offset(from.shift);
    flip = from.flip && rng.below(2) == 1;
    if (from.crop > 0) {
      crop_y = offset(from.crop);
      crop_x = offset(from.crop);
    }
    if (from.rotation > 0) angle = (2 * rng.uniform() - 1) * from.rotation * std::numbers::pi / 180;
  }
  bool moves() const { return dy != 0 || dx != 0 || flip || crop_y != 0 || crop_x != 0; }
};

/// Fills in where each pixel along an axis comes from; -1 where nothing comes in.
void source_along(std::vector<std::int64_t>& out, std::int64_t shift, bool flip, std::int64_t crop) {
  const auto size = static_cast<std::int64_t>(out.size());
  for (std::int64_t i = 0; i < size; ++i) {
    std::int64_t at = i - shift;
    const bool inside = at >= 0 && at < size;
    at = (flip ? size - 1 - at : at) + crop;
    if (at < 0) at = -at;  // mirrored at the first pixel
    if (at >= size) at = 2 * (size - 1) - at;
    out[static_cast<std::size_t>(i)] = inside ? at : -1;
  }
}

/// Moves one image at a time, all its planes alike; holds what that takes.
class Mover {
 public:
  Mover(std::int64_t channels, std::int64_t height, std::int64_t width)
      : channels_(channels),
        original_(static_cast<std::size_t>(height * width)),
        rows_(static_cast<std::size_t>(height)),
        columns_(static_cast<std::size_t>(width)) {}

  void move(float* image, const Draw& draw) {
    source_along(rows_, draw.dy, false, draw.crop_y);
    source_along(columns_, draw.dx, draw.flip, draw.crop_x);
    for (std::int64_t c = 0; c < channels_; ++c) {
      float* plane = image + c * static_cast<std::int64_t>(original_.size());
      if (draw.moves()) {
        std::memcpy(original_.data(), plane, original_.size() * sizeof(float));
        gather(plane);
      }
      if (draw.angle != 0.0) {
        std::memcpy(original_.data(), plane, original_.size() * sizeof(float));
        turn(plane, std::sin(draw.angle), std::cos(draw.angle));
      }
    }
  }

 private:
  void gather(float* to) const {
    const auto width = static_cast<std::int64_t>(columns_.size());
    for (const std::int64_t row : rows_) {
      const float* from = original_.data() + std::max<std::int64_t>(row, 0) * width;
      for (const std::int64_t column : columns_) *to++ = row < 0 || column < 0 ? 0.0F : from[column];
    }
  }

  void turn(float* to, double sine, double cosine) const {
    const double middle_y = (static_cast<double>(rows_.size()) - 1) / 2;
    const double middle_x = (static_cast<double>(columns_.size()) - 1) / 2;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      for (std::size_t k = 0; k < columns_.size(); ++k) {
        const double y = static_cast<double>(i) - middle_y, x = static_cast<double>(k) - middle_x;
        *to++ = between(middle_y + cosine * y - sine * x, middle_x + sine * y + cosine * x);
      }
    }
  }

  /// Reads bilinearly; pixels outside are 0.
  float between(double y, double x) const {
    const double top = std::floor(y), left = std::floor(x);
    const auto row = static_cast<std::int64_t>(top), column = static_cast<std::int64_t>(left);
    const auto down = static_cast<float>(y - top), right = static_cast<float>(x - left);
    return (1 - down) * ((1 - right) * at(row, column) + right * at(row, column + 1)) +
           down * ((1 - right) * at(row + 1, column) + right * at(row + 1, column + 1));
  }

  float at(std::int64_t row, std::int64_t column) const {
    const auto height = static_cast<std::int64_t>(rows_.size()),
               width = static_cast<std::int64_t>(columns_.size());
    if (row < 0 || row >= height || column < 0 || column >= width) return 0.0F;
    return original_[static_cast<std::size_t>(row * width + column)];
  }

  std::int64_t channels_;
  std::vector<float> original_;
  std::vector<std::int64_t> rows_, columns_;
};

}  // namespace

void augment(Tensor& pixels, std::span<const std::int64_t> indices, const Augmentation& augmentation,
             std::uint64_t seed, std::int64_t epoch) {
  require(pixels.defined() && pixels.rank() == 4 && pixels.dtype() == DType::f32 && pixels.is_contiguous(),
          "augment", "pixels must be contiguous f32 (B,C,H,W); got ",
          pixels.defined() ? describe(pixels) : std::string("an undefined tensor"));
  const std::int64_t channels = pixels.size(1), height = pixels.size(2), width = pixels.size(3);
  require(static_cast<std::int64_t>(indices.size()) == pixels.size(0), "augment",
          "one index per sample is needed; got ", indices.size(), " for ", describe(pixels));
  for (const auto& [name, by] : {std::pair{"shift", augmentation.shift}, {"crop", augmentation.crop}}) {
    require(by == 0 || (by > 0 && by < std::min(height, width)), "augment", name,
            " must be at least 0 and smaller than the image; got ", by);
  }
  require(augmentation.rotation >= 0 && augmentation.rotation <= 180, "augment",
          "rotation must be 0 to 180 degrees; got ", augmentation.rotation);
  if (!augmentation.any()) return;

  auto* images = pixels.data<float>();
  parallel_for(pixels.size(0), 16, [&](std::int64_t begin, std::int64_t end) {
    Mover mover(channels, height, width);
    for (std::int64_t b = begin; b < end; ++b) {
      const auto sample = static_cast<std::uint64_t>(indices[static_cast<std::size_t>(b)]);
      Rng rng(seed ^ kAugmentStream, static_cast<std::uint64_t>(epoch) << 32 | sample);
      const Draw draw(rng, augmentation);
      if (draw.moves() || draw.angle != 0.0) mover.move(images + b * channels * height * width, draw);
    }
  });
}

}  // namespace cbnet::data
