#include "data/picture.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/error.h"
#include "tensor/parallel.h"

namespace cbnet::data {
namespace {

Tensor dense(const Tensor& image, const char* where) {
  require(image.defined() && image.dtype() == DType::u8 && image.rank() == 3 && image.numel() > 0, where,
          "image must be u8 (C,H,W); got ", image.defined() ? describe(image) : "an undefined tensor");
  return image.contiguous();
}

/// Says what each of `to` pixels along one axis takes of `from` pixels: weights from pixel `first` on.
struct Taps {
  std::int64_t first = 0;
  std::vector<float> weights;
};

std::vector<Taps> taps_along(std::int64_t from, std::int64_t to) {
  std::vector<Taps> out(static_cast<std::size_t>(to));
  const double scale = static_cast<double>(from) / static_cast<double>(to), reach = std::max(scale, 1.0);
  for (std::int64_t i = 0; i < to; ++i) {
    Taps& taps = out[static_cast<std::size_t>(i)];
    const double center = (static_cast<double>(i) + 0.5) * scale - 0.5;
    taps.first = std::max<std::int64_t>(0, std::llround(std::ceil(center - reach)));
    const std::int64_t last = std::min<std::int64_t>(from - 1, std::llround(std::floor(center + reach)));
    double sum = 0.0;
    std::vector<double> weights;
    for (std::int64_t k = taps.first; k <= last; ++k) {
      weights.push_back(std::max(0.0, 1.0 - std::abs(static_cast<double>(k) - center) / reach));
      sum += weights.back();
    }
    for (const double weight : weights) taps.weights.push_back(static_cast<float>(weight / sum));
  }
  return out;
}

struct PlaneTaps {
  std::vector<Taps> rows, columns;
};

/// Resizes one plane: along its rows, then along its columns.
void resize_plane(const std::uint8_t* from, std::int64_t width, const PlaneTaps& taps_of,
                  std::vector<float>& narrow, std::uint8_t* to) {
  const auto& [rows, columns] = taps_of;
  const std::size_t columns_made = columns.size();
  const std::size_t height = narrow.size() / columns_made;
  for (std::size_t y = 0; y < height; ++y) {
    const std::uint8_t* row = from + y * static_cast<std::size_t>(width);
    for (std::size_t x = 0; x < columns_made; ++x) {
      float sum = 0.0F;
      for (std::size_t k = 0; k < columns[x].weights.size(); ++k)
        sum += columns[x].weights[k] * row[static_cast<std::size_t>(columns[x].first) + k];
      narrow[y * columns_made + x] = sum;
    }
  }
  for (const Taps& taps : rows) {
    for (std::size_t x = 0; x < columns_made; ++x) {
      float sum = 0.0F;
      for (std::size_t k = 0; k < taps.weights.size(); ++k)
        sum += taps.weights[k] * narrow[(static_cast<std::size_t>(taps.first) + k) * columns_made + x];
      *to++ = static_cast<std::uint8_t>(std::clamp(std::lround(sum), 0L, 255L));
    }
  }
}

}  // namespace

std::string size_text(std::int64_t height, std::int64_t width) { return concat(width, "x", height); }

std::string picture_text(const Shape& shape) {
  if (shape.size() < 3) return to_string(shape);
  const Shape s(shape.end() - 3, shape.end());
  return concat(size_text(s[1], s[2]), s[0] == 1   ? std::string(" grey")
                                       : s[0] == 3 ? std::string(" colour")
                                                   : concat(" with ", s[0], " channels"));
}

Tensor with_channels(const Tensor& pictures, std::int64_t channels) {
  const std::int64_t rank = pictures.rank();
  const std::int64_t found = rank < 3 ? 0 : pictures.size(rank - 3);
  require(pictures.dtype() == DType::u8 && (found == 1 || found == 3) && (channels == 1 || channels == 3),
          "with_channels", "pictures must be u8 (…,C,H,W) and have 1 or 3 channels; got ", describe(pictures),
          " for ", channels);
  if (found == channels) return pictures;
  const Tensor from = pictures.contiguous();
  Shape shape = from.shape();
  shape[shape.size() - 3] = channels;
  Tensor out = Tensor::empty(shape, DType::u8);
  const std::int64_t area = shape[shape.size() - 2] * shape.back();
  const auto* a = from.data<std::uint8_t>();
  auto* b = out.data<std::uint8_t>();
  for (std::int64_t n = from.numel() / (found * area); n > 0; --n, a += found * area, b += channels * area) {
    if (channels == 3) {
      for (int c = 0; c < 3; ++c) std::copy(a, a + area, b + c * area);
      continue;
    }
    // The weights are 0.299, 0.587 and 0.114 in 16 bits; they sum to 65,536.
    for (std::int64_t i = 0; i < area; ++i)
      b[i] = static_cast<std::uint8_t>(
          (a[i] * 19595 + a[area + i] * 38470 + a[2 * area + i] * 7471 + 32768) >> 16);
  }
  return out;
}

Tensor resized(const Tensor& pictures, std::int64_t height, std::int64_t width) {
  require(pictures.defined() && pictures.dtype() == DType::u8 && pictures.rank() >= 2 &&
              pictures.numel() > 0 && height > 0 && width > 0,
          "resized", "pictures must be u8 (…,H,W), and both sides positive; got ",
          pictures.defined() ? describe(pictures) : "an undefined tensor", " and ", size_text(height, width));
  Shape shape = pictures.shape();
  const std::int64_t from_height = shape[shape.size() - 2], from_width = shape.back();
  if (from_height == height && from_width == width) return pictures;
  shape[shape.size() - 2] = height;
  shape.back() = width;
  const Tensor from = pictures.contiguous();
  Tensor out = Tensor::empty(shape, DType::u8);
  const PlaneTaps taps{taps_along(from_height, height), taps_along(from_width, width)};
  const auto* a = from.data<std::uint8_t>();
  auto* b = out.data<std::uint8_t>();
  parallel_for(out.numel() / (height * width), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> narrow(static_cast<std::size_t>(from_height * width));
    for (std::int64_t i = begin; i < end; ++i)
      resize_plane(a + i * from_height * from_width, from_width, taps, narrow, b + i * height * width);
  });
  return out;
}

bool is_uniform(const Tensor& image) {
  constexpr int kMinContrast = 16;
  const Tensor picture = dense(image, "is_uniform");
  const auto* pixels = picture.data<std::uint8_t>();
  const std::int64_t area = picture.size(1) * picture.size(2);
  for (std::int64_t c = 0; c < picture.size(0); ++c) {
    const auto [darkest, lightest] = std::minmax_element(pixels + c * area, pixels + (c + 1) * area);
    if (*lightest - *darkest >= kMinContrast) return false;
  }
  return true;
}

bool is_brighter_at_border(const Tensor& image) {
  const Tensor picture = dense(image, "is_brighter_at_border");
  const std::int64_t height = picture.size(1);
  const std::int64_t width = picture.size(2);
  require(height > 2 && width > 2, "is_brighter_at_border", "image must have an inside; got ",
          describe(image));
  const auto* pixels = picture.data<std::uint8_t>();
  std::int64_t all = 0;
  std::int64_t inside = 0;
  for (std::int64_t i = 0; i < picture.numel(); ++i) {
    const std::int64_t y = i / width % height;
    const std::int64_t x = i % width;
    all += pixels[i];
    if (y > 0 && x > 0 && y + 1 < height && x + 1 < width) inside += pixels[i];
  }
  // Means are compared without a division.
  const std::int64_t inside_count = (height - 2) * (width - 2);
  return (all - inside) * inside_count > inside * (height * width - inside_count);
}

Tensor inverted(const Tensor& image) {
  const Tensor picture = dense(image, "inverted");
  Tensor out = Tensor::empty(picture.shape(), DType::u8);
  std::transform(picture.data<std::uint8_t>(), picture.data<std::uint8_t>() + picture.numel(),
                 out.data<std::uint8_t>(), [](std::uint8_t v) { return static_cast<std::uint8_t>(255 - v); });
  return out;
}

}  // namespace cbnet::data
