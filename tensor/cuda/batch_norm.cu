#include <cmath>

#include "tensor/cuda/context.h"
#include "tensor/cuda/elements.cuh"
#include "tensor/cuda/functions.h"

namespace cbnet::cuda {
namespace {

constexpr std::size_t kShared = kThreads * sizeof(double);

/// x is (n, channels, plane); every channel's elements are cut into `parts`, a block of the grid (parts,
/// channels) for each, so that few channels fill a GPU too.
struct Channels {
  std::int64_t n, channels, plane;
  std::int64_t parts;

  /// Calls visit(where in x) for the elements of this thread's block.
  template <class Visit>
  __device__ void for_each_of_part(Visit visit) const {
    const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
    for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n * plane; i += step) {
      const std::int64_t image = divide(i, plane);
      visit((image * channels + blockIdx.y) * plane + (i - image * plane));
    }
  }
  Grid grid() const {
    return {dim3(static_cast<unsigned>(parts), static_cast<unsigned>(channels)), dim3(kThreads), kShared};
  }
};

template <class Call>
Channels channels_of(const Call& call) {
  constexpr std::int64_t kElementsOfPart = 8192, kMaxParts = 64;
  const std::int64_t needed = (call.n * call.plane + kElementsOfPart - 1) / kElementsOfPart;
  return {call.n, call.channels, call.plane, needed < 1 ? 1 : needed < kMaxParts ? needed : kMaxParts};
}

/// Returns the sum of a channel's parts to every thread.
__device__ double sum_of_parts(const double* parts, std::int64_t count) {
  double sum = 0.0;
  for (std::int64_t part = 0; part < count; ++part) sum += parts[part];
  return sum;
}

/// Stores the sums of x in parts (channels, parts).
template <class T>
__global__ void sums_kernel(Channels c, const T* x, double* parts) {
  double sum = 0.0;
  c.for_each_of_part([&](std::int64_t i) { sum += x[i]; });
  sum = block_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) parts[blockIdx.y * c.parts + blockIdx.x] = sum;
}

/// Stores the sums of (x - mean)^2 in parts.
template <class T>
__global__ void squares_kernel(Channels c, const T* x, const double* sums, double* parts) {
  const double mean = sum_of_parts(sums + blockIdx.y * c.parts, c.parts) / static_cast<double>(c.n * c.plane);
  double sum = 0.0;
  c.for_each_of_part([&](std::int64_t i) { sum += (x[i] - mean) * (x[i] - mean); });
  sum = block_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) parts[blockIdx.y * c.parts + blockIdx.x] = sum;
}

template <class T>
struct Moments {
  const double *sums, *squares;  // of the parts, in training
  const T *running_mean, *running_var;
  double *mean, *inverse_std;
  T *moved_mean, *moved_var;
  bool training;
  double eps, momentum;
};

/// A thread takes each channel.
template <class T>
__global__ void moments_kernel(Channels channels, Moments<T> m) {
  const auto count = static_cast<double>(channels.n * channels.plane);
  for_each_element(channels.channels, [&](std::int64_t c) {
    double mean = m.running_mean[c], var = m.running_var[c];
    if (m.training) {
      const double squares = sum_of_parts(m.squares + c * channels.parts, channels.parts);
      mean = sum_of_parts(m.sums + c * channels.parts, channels.parts) / count;
      var = squares / count;
      m.moved_mean[c] = static_cast<T>((1.0 - m.momentum) * m.running_mean[c] + m.momentum * mean);
      m.moved_var[c] =
          static_cast<T>((1.0 - m.momentum) * m.running_var[c] + m.momentum * squares / (count - 1.0));
    }
    m.mean[c] = mean;
    m.inverse_std[c] = 1.0 / std::sqrt(var + m.eps);
  });
}

template <class T>
__global__ void normalise_kernel(Channels c, const T* x, const T* gamma, const T* beta, const double* mean,
                                 const double* inverse_std, T* y) {
  const double factor = gamma[blockIdx.y] * inverse_std[blockIdx.y], centre = mean[blockIdx.y];
  const double shift = beta[blockIdx.y];
  c.for_each_of_part([&](std::int64_t i) { y[i] = static_cast<T>(factor * (x[i] - centre) + shift); });
}

template <class T>
void batch_norm_of(const BatchNormCall& call) {
  const Channels channels = channels_of(call);
  const auto count = static_cast<std::size_t>(channels.channels * channels.parts);
  const Scratch scratch(2 * count * sizeof(double));
  double *sums = scratch.as<double>(), *squares = sums + count;
  const T* x = static_cast<const T*>(call.x);
  if (call.training) {
    launch("batch_norm", sums_kernel<T>, channels.grid(), channels, x, sums);
    launch("batch_norm", squares_kernel<T>, channels.grid(), channels, x, sums, squares);
  }
  const Moments<T> moments{sums,
                           squares,
                           static_cast<const T*>(call.running_mean),
                           static_cast<const T*>(call.running_var),
                           call.mean,
                           call.inverse_std,
                           static_cast<T*>(call.moved_mean),
                           static_cast<T*>(call.moved_var),
                           call.training,
                           call.eps,
                           call.momentum};
  launch("batch_norm", moments_kernel<T>, elements_grid(call.channels), channels, moments);
  launch("batch_norm", normalise_kernel<T>, channels.grid(), channels, x, static_cast<const T*>(call.gamma),
         static_cast<const T*>(call.beta), static_cast<const double*>(call.mean),
         static_cast<const double*>(call.inverse_std), static_cast<T*>(call.y));
}

template <class T>
struct NormGradients {
  const T *x, *gamma, *dy;
  const double *mean, *inverse_std;
  double *by_beta, *by_gamma;  // sums of the parts
  T *dx, *dgamma, *dbeta;      // or null
  bool training;

  __device__ double xhat(std::int64_t i, std::int64_t c) const { return (x[i] - mean[c]) * inverse_std[c]; }
};

template <class T>
__global__ void gradient_sums_kernel(Channels c, NormGradients<T> g) {
  double by_beta = 0.0, by_gamma = 0.0;
  c.for_each_of_part([&](std::int64_t i) {
    by_beta += g.dy[i];
    by_gamma += g.dy[i] * g.xhat(i, blockIdx.y);
  });
  by_beta = block_sum(by_beta, shared_memory<double>());
  by_gamma = block_sum(by_gamma, shared_memory<double>());
  if (threadIdx.x != 0) return;
  g.by_beta[blockIdx.y * c.parts + blockIdx.x] = by_beta;
  g.by_gamma[blockIdx.y * c.parts + blockIdx.x] = by_gamma;
}

template <class T>
__global__ void gradients_kernel(Channels c, NormGradients<T> g) {
  const std::int64_t channel = blockIdx.y;
  const double by_beta = sum_of_parts(g.by_beta + channel * c.parts, c.parts);
  const double by_gamma = sum_of_parts(g.by_gamma + channel * c.parts, c.parts);
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    if (g.dgamma != nullptr) g.dgamma[channel] = static_cast<T>(by_gamma);
    if (g.dbeta != nullptr) g.dbeta[channel] = static_cast<T>(by_beta);
  }
  if (g.dx == nullptr) return;
  const auto count = static_cast<double>(c.n * c.plane);
  const double factor = g.gamma[channel] * g.inverse_std[channel];
  c.for_each_of_part([&](std::int64_t i) {
    // In evaluation the statistics do not move with x.
    const double moved = g.training ? (by_beta + g.xhat(i, channel) * by_gamma) / count : 0.0;
    g.dx[i] = static_cast<T>(factor * (g.dy[i] - moved));
  });
}

template <class T>
void batch_norm_backward_of(const BatchNormBackwardCall& call) {
  const Channels channels = channels_of(call);
  const auto count = static_cast<std::size_t>(channels.channels * channels.parts);
  const Scratch scratch(2 * count * sizeof(double));
  const NormGradients<T> gradients{static_cast<const T*>(call.x),
                                   static_cast<const T*>(call.gamma),
                                   static_cast<const T*>(call.dy),
                                   call.mean,
                                   call.inverse_std,
                                   scratch.as<double>(),
                                   scratch.as<double>() + count,
                                   static_cast<T*>(call.dx),
                                   static_cast<T*>(call.dgamma),
                                   static_cast<T*>(call.dbeta),
                                   call.training};
  launch("batch_norm", gradient_sums_kernel<T>, channels.grid(), channels, gradients);
  launch("batch_norm", gradients_kernel<T>, channels.grid(), channels, gradients);
}

}  // namespace

CBNET_BY_DTYPE(batch_norm, BatchNormCall)
CBNET_BY_DTYPE(batch_norm_backward, BatchNormBackwardCall)

}  // namespace cbnet::cuda
