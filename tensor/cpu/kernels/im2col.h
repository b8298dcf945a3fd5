#pragma once

#include "tensor/calls.h"

// Lowering of a convolution to a matrix product, for what the direct kernels do not cover. One image and
// group: image (c / groups, h, w), dense; columns (c / groups, kh, kw, oh, ow); T is float or double.

namespace cbnet::kernels {

/// columns = the input pixel under each tap, zero in the padding.
template <class T>
void im2col(const T* image, const Conv2dSizes& sizes, T* columns);

/// The adjoint: adds every column element to its pixel of `image`, which the caller has zeroed.
template <class T>
void col2im(const T* columns, const Conv2dSizes& sizes, T* image);

}  // namespace cbnet::kernels
