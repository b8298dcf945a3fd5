#include <cmath>
#include <cstring>
#include <vector>

#include "tensor/cpu/functions.h"
#include "tensor/image_move.h"

namespace cbnet::cpu {
namespace {

/// Moves one image at a time, all its planes alike, and holds what that takes.
template <class T>
class Mover {
 public:
  explicit Mover(const AugmentCall& call)
      : channels_(call.channels),
        height_(call.h),
        width_(call.w),
        moved_(static_cast<std::size_t>(call.h * call.w)),
        rows_(static_cast<std::size_t>(call.h)),
        columns_(static_cast<std::size_t>(call.w)) {}

  void move(const T* x, T* y, const ImageMove& move) {
    const std::int64_t area = height_ * width_;
    if (!move.shifts() && move.angle == 0.0) {
      std::memcpy(y, x, static_cast<std::size_t>(channels_ * area) * sizeof(T));
      return;
    }
    for (std::int64_t i = 0; i < height_; ++i) rows_[static_cast<std::size_t>(i)] = move.row(i, height_);
    for (std::int64_t i = 0; i < width_; ++i) columns_[static_cast<std::size_t>(i)] = move.column(i, width_);
    const Turn<T> turn{height_, width_, std::sin(move.angle), std::cos(move.angle)};
    for (std::int64_t c = 0; c < channels_; ++c, x += area, y += area) {
      if (move.angle == 0.0) {
        gather(x, y);
        continue;
      }
      gather(x, moved_.data());
      for (std::int64_t i = 0; i < height_; ++i) {
        for (std::int64_t k = 0; k < width_; ++k) {
          y[i * width_ + k] = turn.pixel(i, k, [&](std::int64_t row, std::int64_t column) {
            return moved_[static_cast<std::size_t>(row * width_ + column)];
          });
        }
      }
    }
  }

 private:
  void gather(const T* x, T* y) const {
    for (const std::int64_t row : rows_) {
      const T* from = x + (row < 0 ? 0 : row) * width_;
      for (const std::int64_t column : columns_) *y++ = row < 0 || column < 0 ? T(0) : from[column];
    }
  }

  std::int64_t channels_, height_, width_;
  std::vector<T> moved_;
  std::vector<std::int64_t> rows_, columns_;
};

}  // namespace

template <class T>
void augment_of(const AugmentCall& call) {
  const std::int64_t size = call.channels * call.h * call.w;
  parallel_for(call.n, 16, [&](std::int64_t begin, std::int64_t end) {
    Mover<T> mover(call);
    for (std::int64_t i = begin; i < end; ++i)
      mover.move(as<T>(call.x) + i * size, as<T>(call.y) + i * size, ImageMove::draw(call, call.streams[i]));
  });
}
CBNET_BY_DTYPE(augment, AugmentCall)

}  // namespace cbnet::cpu
