#pragma once

#include <cstdint>

namespace cbnet::kernels {

// These kernels do some channels of batch normalisation, a pass each. An image's planes of them lie side by
// side, those of the next image `pitch` elements on. `batch_norm` and `batch_norm_backward` in
// tensor/reference/batch_norm.cpp define what they add up to. Arithmetic is f64, rounded once where an
// element is stored. The order of a sum depends on images and plane alone. Of every channel:
//
// batch_norm_sums     : sums[0] = sum z, sums[1] = sum z (x - mean), z = dy, or x - mean where dy is null
// batch_norm_forward  : y = (x - mean) scale + beta
// batch_norm_backward : dx = scale (dy - mean_dy - (x - mean) slope)
struct ChannelPlanes {
  static constexpr std::int64_t kMost = 16;  // channels

  std::int64_t images, pitch, plane, channels;
};
struct BatchNormSums {
  double sums[2];
};
struct BatchNormLine {
  double mean, scale, beta;
};
struct BatchNormSlope {
  double mean, scale, mean_dy, slope;
};

}  // namespace cbnet::kernels
