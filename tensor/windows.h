#pragma once

#include <cstdint>

// What convolutions and poolings lay over images (N, C, H, W): sizes per direction.

namespace cbnet {

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

/// The windows that `options` lay over `planes` planes of h x w. Throws "[op] ..." unless kernel, stride and
/// dilation are positive, 0 <= padding <= half the dilated kernel, and at least one window fits.
Pool2dDims pool2d_dims(const char* op, std::int64_t planes, std::int64_t h, std::int64_t w,
                       const Pool2dOptions& options);

}  // namespace cbnet
