#pragma once

#include <cstdint>

// Pooling windows over the last two axes of (N, C, H, W); the N * C planes are independent and are spread
// over the threads. All arrays are dense.
//
// Window (i, j) of the output holds the input rows i * stride_h - pad_h + ky * dilation_h for
// 0 <= ky < kernel_h, and columns likewise; what lies outside the input is padding.

namespace cbnet {

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

namespace kernels {

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

/// y: the largest element of each window, the first of equals; NaN if the window holds one; -inf if it holds
/// padding only. argmax (or null): where it stood, as row * w + column in its plane, -1 for padding.
template <class T>
void max_pool2d(const T* x, T* y, std::int32_t* argmax, const Pool2dDims& dims);

/// dx = 0 but for dy added at argmax.
template <class T>
void max_pool2d_backward(const T* dy, const std::int32_t* argmax, T* dx, const Pool2dDims& dims);

/// y: each window's sum, padding being 0, divided by the window's size: clipped to the padded input, or to
/// the input itself unless count_include_pad. 0 for a window of padding only. Dilation must be 1.
template <class T>
void avg_pool2d(const T* x, T* y, bool count_include_pad, const Pool2dDims& dims);

/// dx: dy divided as in the forward pass, summed over the windows that hold the element.
template <class T>
void avg_pool2d_backward(const T* dy, T* dx, bool count_include_pad, const Pool2dDims& dims);

}  // namespace kernels
}  // namespace cbnet
