#pragma once

namespace cbnet::cuda {

/// A GPU can do this much, as measured: the medians of several runs each.
struct DeviceLimits {
  double copy_gb_per_s = 0.0;     // on the device, bytes read and bytes written
  double upload_gb_per_s = 0.0;   // from page-locked memory of the host
  double gemm_tflop_per_s = 0.0;  // of a square product in f32, two operations a multiply-add
  double launch_us = 0.0;         // an empty kernel, until the host knows that it has ended
  double launch_rate_us = 0.0;    // an empty kernel among many, one behind the other
};

/// Measures; takes about a second and 2 GiB of the device's memory. Throws std::invalid_argument without
/// CUDA.
DeviceLimits measure_device_limits();

}  // namespace cbnet::cuda
