#pragma once

#include <cstdint>

#include "tensor/windows.h"

// Pooling windows over the last two axes of (N, C, H, W); the N * C planes are independent and are spread
// over the threads. All arrays are dense.

namespace cbnet::kernels {

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

}  // namespace cbnet::kernels
