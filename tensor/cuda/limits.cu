#include "tensor/cuda/limits.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "tensor/cuda/context.h"
#include "tensor/cuda/functions.h"

namespace cbnet::cuda {
namespace {

__global__ void nothing_kernel() {}

/// Returns the seconds of one call, the median of several, each until the device is done.
template <class Call>
double seconds_of(Call call) {
  constexpr int kRuns = 9;
  std::vector<double> times;
  for (int run = 0; run < kRuns; ++run) {
    check(cudaStreamSynchronize(stream()), "limits");
    const auto start = std::chrono::steady_clock::now();
    call();
    check(cudaStreamSynchronize(stream()), "limits");
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + kRuns / 2, times.end());
  return std::max(times[kRuns / 2], 1e-9);
}

}  // namespace

DeviceLimits measure_device_limits() {
#ifdef CBNET_CUDA_EMULATION
  constexpr std::size_t kBytes = std::size_t{1} << 16;
  constexpr std::int64_t kSide = 16;
#else
  constexpr std::size_t kBytes = std::size_t{512} << 20;
  constexpr std::int64_t kSide = 8192;
#endif
  DeviceLimits out;
  const Scratch from(kBytes), to(kBytes);
  check(cudaMemsetAsync(from.as<char>(), 1, kBytes, stream()), "limits");
  const double copy = seconds_of([&] {
    check(cudaMemcpyAsync(to.as<char>(), from.as<char>(), kBytes, cudaMemcpyDeviceToDevice, stream()),
          "limits");
  });
  out.copy_gb_per_s = 2e-9 * static_cast<double>(kBytes) / copy;
  void* pages = nullptr;
  check(cudaHostAlloc(&pages, kBytes, 0), "limits");
  const double upload = seconds_of([&] {
    check(cudaMemcpyAsync(to.as<char>(), pages, kBytes, cudaMemcpyHostToDevice, stream()), "limits");
  });
  check(cudaFreeHost(pages), "limits");
  out.upload_gb_per_s = 1e-9 * static_cast<double>(kBytes) / upload;
  // The numbers are random, since zeros take less power, and so less time.
  const Scratch a(kSide * kSide * sizeof(float)), b(kSide * kSide * sizeof(float)),
      c(kSide * kSide * sizeof(float));
  for (const Scratch* matrix : {&a, &b})
    random({.dtype = DType::f32,
            .state = {},
            .a = -1.0,
            .b = 1.0,
            .count = kSide * kSide,
            .y = matrix->as<float>()});
  const double product = seconds_of([&] {
    gemm({.dtype = DType::f32,
          .m = kSide,
          .n = kSide,
          .k = kSide,
          .a = a.as<float>(),
          .b = b.as<float>(),
          .c = c.as<float>()});
  });
  out.gemm_tflop_per_s = 2e-12 * static_cast<double>(kSide * kSide * kSide) / product;
  const auto launch_nothing = [] { launch("limits", nothing_kernel, {dim3(1), dim3(32)}); };
  out.launch_us = 1e6 * seconds_of(launch_nothing);
  constexpr int kMany = 1000;
  out.launch_rate_us = 1e6 / kMany * seconds_of([&] {
                         for (int i = 0; i < kMany; ++i) launch_nothing();
                       });
  return out;
}

}  // namespace cbnet::cuda
