#pragma once

#include "tensor/tensor.h"

namespace cbnet::data {

// What tells a picture that a network was never trained for: MNIST, Fashion-MNIST and KMNIST are light on
// black. Of their 30,000 test images none is uniform by these rules, and 14 are brighter at the border (3 of
// Fashion-MNIST, 11 of KMNIST), where a shoe or a stroke lies on it; turned to dark on white, all but these
// are.

/// One grey throughout, or nearly: less than 16 of 255 between the darkest and the lightest pixel. u8 (H,W).
bool is_uniform(const Tensor& image);

/// The outermost pixels are lighter, in their mean, than those inside. u8 (H,W), of at least 3x3.
bool is_brighter_at_border(const Tensor& image);

/// 255 minus each pixel. u8 (H,W).
Tensor inverted(const Tensor& image);

}  // namespace cbnet::data
