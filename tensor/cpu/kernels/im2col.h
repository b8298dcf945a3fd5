#pragma once

#include <cstdint>

// Lowering of a convolution to a matrix product, for the strides, dilations and groups that the direct
// kernels do not cover.

namespace cbnet::kernels {

struct Im2colDims {
  std::int64_t channels, height, width;
  std::int64_t kernel_h, kernel_w;
  std::int64_t stride_h, stride_w;
  std::int64_t pad_h, pad_w;
  std::int64_t dilation_h, dilation_w;
  std::int64_t out_h, out_w;
};

/// columns[(c kh kw), (out_h out_w)] = the input pixel under each tap, zero in the padding.
/// image is (channels, height, width), dense; T is float or double.
template <class T>
void im2col(const T* image, const Im2colDims& dims, T* columns);

/// The adjoint: adds every column element to its pixel of `image`, which the caller has zeroed.
template <class T>
void col2im(const T* columns, const Im2colDims& dims, T* image);

}  // namespace cbnet::kernels
