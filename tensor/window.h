#pragma once

#include <cstdint>

#include "tensor/shape.h"

// Windows that slide over planes: of convolutions and poolings.

namespace cbnet {

/// A number per direction; one number stands for both.
struct Pair {
  Pair(std::int64_t both) : h(both), w(both) {}  // NOLINT(google-explicit-constructor)
  Pair(std::int64_t height, std::int64_t width) : h(height), w(width) {}
  bool is_square() const { return h == w; }
  friend bool operator==(const Pair&, const Pair&) = default;

  std::int64_t h, w;
};

/// Rows and columns around a plane; one number stands for all sides, a Pair for opposite ones.
struct Padding2d {
  Padding2d(std::int64_t all) : Padding2d(Pair(all)) {}  // NOLINT(google-explicit-constructor)
  Padding2d(Pair each)
      : top(each.h), left(each.w), bottom(each.h), right(each.w) {}  // NOLINT(google-explicit-constructor)
  Padding2d(std::int64_t t, std::int64_t l, std::int64_t b, std::int64_t r)
      : top(t), left(l), bottom(b), right(r) {}
  bool is_symmetric() const { return top == bottom && left == right; }
  bool is_none() const { return *this == Padding2d(0); }
  friend bool operator==(const Padding2d&, const Padding2d&) = default;

  std::int64_t top, left, bottom, right;
};

struct Window2d {
  Pair kernel_size = 1, stride = 1;
  Padding2d padding = 0;
  Pair dilation = 1;
  /// Rounds the number of windows up where the last one starts inside the input or the padding before it.
  bool ceil_mode = false;
};

/// The shape rule of everything that slides a window: planes (C,H,W) -> (channels,OH,OW), with
/// OH = (H + top + bottom - dilation (kernel - 1) - 1) / stride + 1. Throws std::invalid_argument "[where] …"
/// unless the sizes are in range and a window fits.
Shape window_shape(const char* where, const Shape& planes, std::int64_t channels, const Window2d& window);

/// That of pooling: (C,H,W) -> (C,OH,OW). Padding is at most half of the dilated kernel, so that every window
/// holds a number; where it differs from side to side it is less than the kernel, and ceil_mode is off.
Shape pool_shape(const char* where, const Shape& planes, const Window2d& window);

}  // namespace cbnet
