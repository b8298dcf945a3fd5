#pragma once

#include <cstdint>

namespace cbnet::kernels {

// These kernels do one channel of batch normalisation, a pass each: its planes, one an image, lie `pitch`
// elements apart. `batch_norm` and `batch_norm_backward` in tensor/reference/batch_norm.cpp define what they
// add up to. Arithmetic is f64, rounded once where an element is stored. The order of a sum depends on the
// sizes alone.
//
// batch_norm_sums     : sums[0] = sum z, sums[1] = sum z (x - mean), z = dy, or x - mean where dy is null
// batch_norm_forward  : y = (x - mean) scale + beta
// batch_norm_backward : dx = scale (dy - mean_dy - (x - mean) slope)
struct ChannelPlanes {
  std::int64_t images, pitch, plane;
};
struct BatchNormLine {
  double mean, scale, beta;
};
struct BatchNormSlope {
  double mean, scale, mean_dy, slope;
};

}  // namespace cbnet::kernels
