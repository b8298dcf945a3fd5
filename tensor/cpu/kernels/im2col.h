#pragma once

#include "tensor/calls.h"

// These functions lower a convolution to a matrix product, for what the direct kernels do not cover; with
// gemm between them they compute `conv2d` and `conv2d_backward` of tensor/reference/products.cpp. They take
// one image and group, image (c / groups, h, w), dense; T is float or double. The columns are the right
// factor:
//
//   weight (outputs, taps)          columns (taps, oh * ow)
//                                   result (0,0)  (0,1) …  (oh-1,ow-1)
//   | tap 0 | tap 1 | … |   x       | tap 0: the pixel under it, or 0  |      tap = (c, ky, kx)
//                                   | tap 1: …                         |

namespace cbnet::kernels {

/// Fills the columns with the input pixel under each tap, zero in the padding.
template <class T>
void im2col(const T* image, const Conv2dSizes& sizes, T* columns);

/// Is the adjoint: adds every column element to its pixel of `image`, which the caller has zeroed.
template <class T>
void col2im(const T* columns, const Conv2dSizes& sizes, T* image);

}  // namespace cbnet::kernels
