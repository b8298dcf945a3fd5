#pragma once

#include <cstdint>
#include <numbers>

#include "tensor/calls.h"

// This says where the pixels of an augmented image come from. Every backend reads it here, and so draws the
// same.

namespace cbnet {

/// One image meets this, in the order crop, flip, shift, rotation.
struct ImageMove {
  std::int64_t dy = 0, dx = 0;
  bool flip = false;
  std::int64_t crop_y = 0, crop_x = 0;
  double angle = 0.0;  // radians

  /// The order of the draws is fixed: what is switched off draws nothing that others would miss.
  static constexpr ImageMove draw(const AugmentCall& call, std::int64_t stream) {
    RngState rng{call.seed, static_cast<std::uint64_t>(stream), 0};
    const auto offset = [&](std::int64_t max) { return rng.below(2 * max + 1) - max; };
    ImageMove out;
    out.dy = offset(call.shift);
    out.dx = offset(call.shift);
    out.flip = call.flip && rng.below(2) == 1;
    if (call.crop > 0) {
      out.crop_y = offset(call.crop);
      out.crop_x = offset(call.crop);
    }
    if (call.rotation > 0) out.angle = (2 * rng.uniform() - 1) * call.rotation * std::numbers::pi / 180;
    return out;
  }

  constexpr bool shifts() const { return dy != 0 || dx != 0 || flip || crop_y != 0 || crop_x != 0; }

  /// Returns the row or the column that row or column i comes from before the rotation; -1 where nothing
  /// comes in.
  constexpr std::int64_t row(std::int64_t i, std::int64_t height) const {
    return source(i - dy, height, false, crop_y);
  }
  constexpr std::int64_t column(std::int64_t i, std::int64_t width) const {
    return source(i - dx, width, flip, crop_x);
  }

 private:
  static constexpr std::int64_t source(std::int64_t at, std::int64_t size, bool flipped, std::int64_t crop) {
    if (at < 0 || at >= size) return -1;
    at = (flipped ? size - 1 - at : at) + crop;
    if (at < 0) at = -at;  // mirrored at the first pixel
    return at < size ? at : 2 * (size - 1) - at;
  }
};

/// This turns a picture of height x width about its centre: pixel (i, k) lies between four of those that
/// read(row, column) gives, which is 0 outside.
template <class T>
struct Turn {
  std::int64_t height, width;
  double sine, cosine;

  template <class Read>
  constexpr T pixel(std::int64_t i, std::int64_t k, Read read) const {
    const double middle_y = (static_cast<double>(height) - 1) / 2;
    const double middle_x = (static_cast<double>(width) - 1) / 2;
    const double from_y = static_cast<double>(i) - middle_y, from_x = static_cast<double>(k) - middle_x;
    const double y = middle_y + cosine * from_y - sine * from_x;
    const double x = middle_x + sine * from_y + cosine * from_x;
    const std::int64_t row = floor_of(y), column = floor_of(x);
    const T down = static_cast<T>(y - static_cast<double>(row));
    const T right = static_cast<T>(x - static_cast<double>(column));
    const auto at = [&](std::int64_t r, std::int64_t c) {
      return r < 0 || r >= height || c < 0 || c >= width ? T(0) : read(r, c);
    };
    return (1 - down) * ((1 - right) * at(row, column) + right * at(row, column + 1)) +
           down * ((1 - right) * at(row + 1, column) + right * at(row + 1, column + 1));
  }

 private:
  static constexpr std::int64_t floor_of(double value) {
    const auto whole = static_cast<std::int64_t>(value);
    return static_cast<double>(whole) > value ? whole - 1 : whole;
  }
};

}  // namespace cbnet
