#include "data/deform.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "tensor/parallel.h"
#include "tensor/rng.h"

namespace cbnet::data {
namespace {

constexpr std::int64_t kIntervals = 4;                   // of control points along an axis
constexpr std::int64_t kControls = kIntervals + 3;       // a cubic spline reads one before and two behind
constexpr std::uint64_t kDeformStream = 0x6465666f726d;  // "deform", apart from shifts and flips

/// Is where a pixel lies among the control points: the first of the four that it reads, and their weights.
struct Knot {
  std::int64_t first = 0;
  std::array<float, 4> weights{};
};

std::vector<Knot> knots(std::int64_t size) {
  std::vector<Knot> out;
  for (std::int64_t i = 0; i < size; ++i) {
    const double at = (static_cast<double>(i) + 0.5) * kIntervals / static_cast<double>(size);
    const std::int64_t first = std::min(static_cast<std::int64_t>(at), kIntervals - 1);
    const double t = at - static_cast<double>(first), u = 1 - t;
    const std::array<double, 4> w{u * u * u / 6, (3 * t * t * t - 6 * t * t + 4) / 6,
                                  (3 * u * u * u - 6 * u * u + 4) / 6, t * t * t / 6};
    Knot knot{first, {}};
    std::transform(w.begin(), w.end(), knot.weights.begin(), [](double x) { return static_cast<float>(x); });
    out.push_back(knot);
  }
  return out;
}

/// Deforms one image at a time, and holds what that takes.
class Deformer {
 public:
  Deformer(const Tensor& pixels, const Augmentation& augmentation)
      : augmentation_(augmentation),
        channels_(pixels.size(1)),
        height_(pixels.size(2)),
        width_(pixels.size(3)),
        down_knots_(knots(height_)),
        right_knots_(knots(width_)),
        bordered_(static_cast<std::size_t>((height_ + 3) * (width_ + 3))),
        rows_(static_cast<std::size_t>(height_ * width_)),
        columns_(rows_.size()) {}

  void deform(float* image, Rng rng) {
    place(rng);
    if (augmentation_.elastic > 0) {
      displace(rng, rows_);
      displace(rng, columns_);
    }
    for (std::int64_t c = 0; c < channels_; ++c) sample(image + c * height_ * width_);
  }

 private:
  /// Lists where each pixel comes from by the affine map about the centre.
  void place(Rng& rng) {
    const auto within = [&](double bound) { return (2 * rng.uniform() - 1) * bound; };
    const double angle = within(augmentation_.rotation * std::numbers::pi / 180);
    const double shear = std::tan(within(augmentation_.shear * std::numbers::pi / 180));
    const double down = 1 + within(augmentation_.scale), right = 1 + within(augmentation_.scale);
    const double sine = std::sin(angle), cosine = std::cos(angle);
    const auto y_of_row = static_cast<float>(cosine / down), y_of_column = static_cast<float>(-sine / down);
    const auto x_of_row = static_cast<float>((sine + shear * cosine) / right);
    const auto x_of_column = static_cast<float>((cosine - shear * sine) / right);
    const float middle_y = static_cast<float>(height_ - 1) / 2, middle_x = static_cast<float>(width_ - 1) / 2;
    for (std::int64_t i = 0, at = 0; i < height_; ++i) {
      const float from_y = static_cast<float>(i) - middle_y;
      for (std::int64_t k = 0; k < width_; ++k, ++at) {
        const float from_x = static_cast<float>(k) - middle_x;
        rows_[static_cast<std::size_t>(at)] = middle_y + y_of_row * from_y + y_of_column * from_x;
        columns_[static_cast<std::size_t>(at)] = middle_x + x_of_row * from_y + x_of_column * from_x;
      }
    }
  }

  /// Adds one axis's spline: first along the rows of control points, then across them.
  void displace(Rng& rng, std::vector<float>& coordinates) {
    std::array<float, kControls * kControls> controls{};
    for (float& control : controls)
      control = static_cast<float>((2 * rng.uniform() - 1) * augmentation_.elastic);
    along_.resize(static_cast<std::size_t>(kControls * width_));
    for (std::int64_t r = 0; r < kControls; ++r) {
      for (std::int64_t k = 0; k < width_; ++k) {
        const Knot& knot = right_knots_[static_cast<std::size_t>(k)];
        const float* control = controls.data() + r * kControls + knot.first;
        float sum = 0;
        for (std::size_t t = 0; t < 4; ++t) sum += knot.weights[t] * control[t];
        along_[static_cast<std::size_t>(r * width_ + k)] = sum;
      }
    }
    for (std::int64_t i = 0; i < height_; ++i) {
      const Knot& knot = down_knots_[static_cast<std::size_t>(i)];
      const float* from = along_.data() + knot.first * width_;
      float* to = coordinates.data() + i * width_;
      for (std::int64_t k = 0; k < width_; ++k) {
        to[k] += knot.weights[0] * from[k] + knot.weights[1] * from[width_ + k] +
                 knot.weights[2] * from[2 * width_ + k] + knot.weights[3] * from[3 * width_ + k];
      }
    }
  }

  /// Reads one plane at the listed places. A border of zeros, one before and two behind, stands for all that
  /// is outside.
  void sample(float* plane) {
    const std::int64_t stride = width_ + 3;
    std::fill(bordered_.begin(), bordered_.end(), 0.0F);
    for (std::int64_t i = 0; i < height_; ++i)
      std::copy_n(plane + i * width_, width_, bordered_.data() + (i + 1) * stride + 1);
    const auto last_y = static_cast<float>(height_ + 1), last_x = static_cast<float>(width_ + 1);
    for (std::size_t at = 0; at < rows_.size(); ++at) {
      const float y = std::min(std::max(rows_[at] + 1, 0.0F), last_y);
      const float x = std::min(std::max(columns_[at] + 1, 0.0F), last_x);
      const auto row = static_cast<std::int32_t>(y), column = static_cast<std::int32_t>(x);
      const float down = y - static_cast<float>(row), right = x - static_cast<float>(column);
      const float* from = bordered_.data() + row * stride + column;
      const float upper = from[0] + right * (from[1] - from[0]);
      const float lower = from[stride] + right * (from[stride + 1] - from[stride]);
      plane[at] = upper + down * (lower - upper);
    }
  }

  const Augmentation& augmentation_;
  std::int64_t channels_, height_, width_;
  std::vector<Knot> down_knots_, right_knots_;
  std::vector<float> bordered_, rows_, columns_, along_;
};

}  // namespace

void deform(Tensor& pixels, std::span<const std::int64_t> streams, const Augmentation& augmentation,
            std::uint64_t seed) {
  const std::int64_t size = pixels.size(1) * pixels.size(2) * pixels.size(3);
  auto* images = pixels.data<float>();
  parallel_for(pixels.size(0), 16, [&](std::int64_t begin, std::int64_t end) {
    Deformer deformer(pixels, augmentation);
    for (std::int64_t i = begin; i < end; ++i) {
      const auto stream = static_cast<std::uint64_t>(streams[static_cast<std::size_t>(i)]);
      deformer.deform(images + i * size, Rng(seed ^ kDeformStream, stream));
    }
  });
}

}  // namespace cbnet::data
