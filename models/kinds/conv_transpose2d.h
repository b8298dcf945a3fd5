#pragma once

#include "models/layer.h"

namespace cbnet::kinds {

/// The transpose of a convolution (Zeiler et al. 2010): (C,H,W) -> (out,OH,OW) with
/// OH = (H - 1) stride - top - bottom + dilation (kernel - 1) + 1 + output_padding. Weight
/// (C, out / groups, Kh, Kw), bias (out).
struct ConvTranspose2d {
  std::int64_t out = 0;  // channels
  Pair kernel_size = 1, stride = 1;
  Padding2d padding = 0;
  Pair output_padding = 0, dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;

  /// The convolution with stride 1 is over the input with stride - 1 zeros behind every pixel: zeros around
  /// that, and what of its rows and columns is left out.
  struct Inner {
    Padding2d padding, crop;
  };
  Inner inner_padding() const;

  CBNET_LAYER_PARTS("conv_transpose2d", ConvTranspose2d)
};

}  // namespace cbnet::kinds
