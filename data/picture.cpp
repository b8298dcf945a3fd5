#include "data/picture.h"

#include <algorithm>
#include <cstdint>

#include "tensor/error.h"

namespace cbnet::data {
namespace {

Tensor dense(const Tensor& image, const char* where) {
  require(image.defined() && image.dtype() == DType::u8 && image.rank() == 2 && image.numel() > 0, where,
          "image must be u8 (H,W); got ", image.defined() ? describe(image) : "an undefined tensor");
  return image.contiguous();
}

}  // namespace

bool is_uniform(const Tensor& image) {
  constexpr int kLeastContrast = 16;
  const Tensor grey = dense(image, "is_uniform");
  const auto* pixels = grey.data<std::uint8_t>();
  const auto [darkest, lightest] = std::minmax_element(pixels, pixels + grey.numel());
  return *lightest - *darkest < kLeastContrast;
}

bool is_brighter_at_border(const Tensor& image) {
  const Tensor grey = dense(image, "is_brighter_at_border");
  const std::int64_t height = grey.size(0);
  const std::int64_t width = grey.size(1);
  require(height > 2 && width > 2, "is_brighter_at_border", "image must have an inside; got ",
          describe(image));
  const auto* pixels = grey.data<std::uint8_t>();
  std::int64_t all = 0;
  std::int64_t inside = 0;
  for (std::int64_t i = 0; i < height * width; ++i) {
    const std::int64_t y = i / width;
    const std::int64_t x = i % width;
    all += pixels[i];
    if (y > 0 && x > 0 && y + 1 < height && x + 1 < width) inside += pixels[i];
  }
  // Means, compared without a division.
  const std::int64_t inside_count = (height - 2) * (width - 2);
  return (all - inside) * inside_count > inside * (height * width - inside_count);
}

Tensor inverted(const Tensor& image) {
  const Tensor grey = dense(image, "inverted");
  Tensor out = Tensor::empty(grey.shape(), DType::u8);
  std::transform(grey.data<std::uint8_t>(), grey.data<std::uint8_t>() + grey.numel(),
                 out.data<std::uint8_t>(), [](std::uint8_t v) { return static_cast<std::uint8_t>(255 - v); });
  return out;
}

}  // namespace cbnet::data
