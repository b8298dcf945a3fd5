#pragma once

#include <cstdint>
#include <string>

#include "tensor/tensor.h"

// Pictures are u8 (C,H,W): grey with one channel, red, green and blue with three. Sets of them are (N,C,H,W).

namespace cbnet::data {

/// Writes "30x28": the width comes first, as programs that show pictures have it.
std::string size_text(std::int64_t height, std::int64_t width);
/// Writes "30x28 grey" or "30x28 colour", of a shape (…,C,H,W).
std::string picture_text(const Shape& shape);

/// Gives u8 (…,C,H,W) one or three channels: colour becomes luma (ITU-R BT.601), grey is repeated
/// three times. Throws std::invalid_argument for other numbers of channels.
Tensor with_channels(const Tensor& pictures, std::int64_t channels);

/// Stretches u8 (…,H,W) to height x width. Each pixel is a mean of those that it covers, weighted by a
/// triangle as wide as two pixels of the coarser side: bilinear where a picture grows, an average over the
/// area where it shrinks.
Tensor resized(const Tensor& pictures, std::int64_t height, std::int64_t width);

// This tells a picture that a network was never trained for: MNIST, Fashion-MNIST and KMNIST are light on
// black. Of their 30,000 test images none is uniform by these rules, and 14 are brighter at the border (3 of
// Fashion-MNIST, 11 of KMNIST), where a shoe or a stroke lies on it; turned to dark on white, all but these
// are.

/// The image has one colour throughout, or nearly: less than 16 of 255 between the darkest and the lightest
/// pixel of every channel. u8 (C,H,W).
bool is_uniform(const Tensor& image);

/// The outermost pixels are lighter, in their mean over all channels, than those inside. u8 (C,H,W), of at
/// least 3x3.
bool is_brighter_at_border(const Tensor& image);

/// Returns 255 minus each pixel. u8 (C,H,W).
Tensor inverted(const Tensor& image);

}  // namespace cbnet::data
