#pragma once

#include <cstdint>

#include "tensor/shape.h"

// Convolutions and poolings lay these windows over images (N, C, H, W), sizes per direction.

namespace cbnet {

/// A pair is a number per direction; one number stands for both.
struct Pair {
  Pair(std::int64_t both) : h(both), w(both) {}  // NOLINT(google-explicit-constructor)
  Pair(std::int64_t height, std::int64_t width) : h(height), w(width) {}
  bool is_square() const { return h == w; }
  friend bool operator==(const Pair&, const Pair&) = default;

  std::int64_t h, w;
};

/// Padding is rows and columns around a plane; one number stands for all sides, a Pair for opposite ones.
struct Padding2d {
  Padding2d(std::int64_t all) : Padding2d(Pair(all)) {}  // NOLINT(google-explicit-constructor)
  Padding2d(Pair each)
      : top(each.h), left(each.w), bottom(each.h), right(each.w) {}  // NOLINT(google-explicit-constructor)
  Padding2d(std::int64_t t, std::int64_t l, std::int64_t b, std::int64_t r)
      : top(t), left(l), bottom(b), right(r) {}
  bool is_symmetric() const { return top == bottom && left == right; }
  bool is_none() const { return *this == Padding2d(0); }
  Padding2d& operator+=(const Padding2d& more) {
    return *this = {top + more.top, left + more.left, bottom + more.bottom, right + more.right};
  }
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

/// Is the shape rule of everything that slides a window: planes (C,H,W) -> (channels,OH,OW), with
/// OH = (H + top + bottom - dilation (kernel - 1) - 1) / stride + 1. Throws std::invalid_argument "[where] …"
/// unless the sizes are in range and a window fits.
Shape window_shape(const char* where, const Shape& planes, std::int64_t channels, const Window2d& window);

/// Is that of pooling: (C,H,W) -> (C,OH,OW). Padding is less than the dilated kernel, so that every window
/// reaches the plane; ceil_mode is off where it differs from side to side.
Shape pool_shape(const char* where, const Shape& planes, const Window2d& window);

struct Conv2dOptions {
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t padding_h = 0, padding_w = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t groups = 1;

  static Conv2dOptions square(std::int64_t stride, std::int64_t padding, std::int64_t dilation = 1,
                              std::int64_t groups = 1) {
    return {stride, stride, padding, padding, dilation, dilation, groups};
  }
};

/// Sizes are (height, width) pairs; square() makes both equal.
struct Pool2dOptions {
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t padding_h = 0, padding_w = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
  /// Rounds the output size up, as long as the last window starts inside the input or its left padding.
  bool ceil_mode = false;

  static Pool2dOptions square(std::int64_t kernel_size, std::int64_t stride, std::int64_t padding = 0,
                              std::int64_t dilation = 1, bool ceil_mode = false) {
    return {kernel_size, kernel_size, stride, stride, padding, padding, dilation, dilation, ceil_mode};
  }
};

/// Window (i, j) of the output holds the input rows i * stride_h - pad_h + ky * dilation_h for
/// 0 <= ky < kernel_h, and columns likewise; what lies outside the input is padding.
struct Pool2dDims {
  std::int64_t planes;  // N * C
  std::int64_t h, w;    // of the input
  std::int64_t oh, ow;  // of the output
  std::int64_t kernel_h, kernel_w;
  std::int64_t stride_h, stride_w;
  std::int64_t pad_h, pad_w;
  std::int64_t dilation_h, dilation_w;
};

/// Returns the windows that `options` lay over `planes` planes of h x w. Throws "[op] ..." unless kernel,
/// stride and dilation are positive, 0 <= padding < the dilated kernel, and at least one window fits.
Pool2dDims pool2d_dims(const char* op, std::int64_t planes, std::int64_t h, std::int64_t w,
                       const Pool2dOptions& options);

}  // namespace cbnet
