// `batch_norm` and `batch_norm_backward` in tensor/reference/batch_norm.cpp define what this file computes,
// in f64. x is (n, channels, plane). Threads own channels, a few neighbours at a time: all passes over them
// follow one another while their planes are in the cache, and the order of a sum does not depend on the
// number of threads.
//
// The variance takes no pass of its own: of deviations from the channel's first element, one of those that
// the mean is made of, it is (sum d^2 - (sum d)^2 / M) / M. What cancels is at most M times what is left, so
// that f64 keeps it to M * 1e-16, and a constant channel's is zero.
#include <cmath>

#include "tensor/cpu/functions.h"
#include "tensor/cpu/kernels/isa_table.h"

namespace cbnet::cpu {
namespace {

using kernels::ChannelPlanes;

/// Calls fn(first channel, where it begins, planes) for runs of channels: together a few KB of an image, and
/// over all images what a second-level cache holds beside as much again.
template <class Call, class Fn>
void for_each_run(const Call& call, Fn&& fn) {
  constexpr std::int64_t kOfImage = 1024, kInCache = 1 << 17;
  const std::int64_t plane = std::max<std::int64_t>(call.plane, 1),
                     images = std::max<std::int64_t>(call.n, 1);
  const std::int64_t most = std::min({kOfImage / plane, kInCache / (images * plane), ChannelPlanes::kMost});
  const std::int64_t run = std::max<std::int64_t>(most, 1);
  for_each_of((call.channels + run - 1) / run, run * call.n * call.plane, [&](std::int64_t i) {
    const std::int64_t c = i * run, channels = std::min(run, call.channels - c);
    fn(c, c * call.plane, ChannelPlanes{call.n, call.channels * call.plane, call.plane, channels});
  });
}

template <class T>
void batch_norm_of(const BatchNormCall& call) {
  const auto& table = kernels::isa_table<T>();
  const T *running_mean = as<T>(call.running_mean), *running_var = as<T>(call.running_var);
  for_each_run(call, [&](std::int64_t first, std::int64_t at, const ChannelPlanes& planes) {
    const T* x = as<T>(call.x) + at;
    double shifts[ChannelPlanes::kMost];
    kernels::BatchNormSums sums[ChannelPlanes::kMost];
    kernels::BatchNormLine lines[ChannelPlanes::kMost];
    if (call.training) {
      for (std::int64_t i = 0; i < planes.channels; ++i) {
        const T start = x[i * planes.plane];
        shifts[i] = std::isfinite(start) ? static_cast<double>(start) : 0.0;
      }
      table.batch_norm_sums(x, nullptr, planes, shifts, sums);
    }
    for (std::int64_t i = 0; i < planes.channels; ++i) {
      const std::int64_t c = first + i;
      auto mean = static_cast<double>(running_mean[c]), var = static_cast<double>(running_var[c]);
      if (call.training) {
        const auto count = static_cast<double>(call.n * call.plane);
        const double momentum = call.momentum, kept = 1.0 - momentum, sum = sums[i].sums[0];
        const double of_mean = kept * mean, of_var = kept * var;
        mean = shifts[i] + sum / count;
        var = std::max(sums[i].sums[1] - sum * sum / count, 0.0) / count;  // NaN stays NaN
        as<T>(call.moved_mean)[c] = static_cast<T>(of_mean + momentum * mean);
        as<T>(call.moved_var)[c] = static_cast<T>(of_var + momentum * (count / (count - 1.0)) * var);
      }
      call.mean[c] = mean;
      call.inverse_std[c] = 1.0 / std::sqrt(var + call.eps);
      lines[i] = {mean, static_cast<double>(as<T>(call.gamma)[c]) * call.inverse_std[c],
                  static_cast<double>(as<T>(call.beta)[c])};
    }
    table.batch_norm_forward(x, as<T>(call.y) + at, planes, lines);
  });
}

template <class T>
void batch_norm_backward_of(const BatchNormBackwardCall& call) {
  const auto& table = kernels::isa_table<T>();
  for_each_run(call, [&](std::int64_t first, std::int64_t at, const ChannelPlanes& planes) {
    const T *x = as<T>(call.x) + at, *dy = as<T>(call.dy) + at;
    kernels::BatchNormSums sums[ChannelPlanes::kMost];
    kernels::BatchNormSlope slopes[ChannelPlanes::kMost];
    table.batch_norm_sums(x, dy, planes, call.mean + first, sums);
    // In evaluation the statistics do not move with x.
    const double fraction = call.training ? 1.0 / static_cast<double>(call.n * call.plane) : 0.0;
    for (std::int64_t i = 0; i < planes.channels; ++i) {
      const std::int64_t c = first + i;
      const double inverse_std = call.inverse_std[c], dbeta = sums[i].sums[0];
      const double dgamma = sums[i].sums[1] * inverse_std;
      slopes[i] = {call.mean[c], static_cast<double>(as<T>(call.gamma)[c]) * inverse_std, fraction * dbeta,
                   fraction * dgamma * inverse_std};
      if (call.dgamma != nullptr) as<T>(call.dgamma)[c] = static_cast<T>(dgamma);
      if (call.dbeta != nullptr) as<T>(call.dbeta)[c] = static_cast<T>(dbeta);
    }
    if (call.dx != nullptr) table.batch_norm_backward(x, dy, as<T>(call.dx) + at, planes, slopes);
  });
}

}  // namespace

CBNET_BY_DTYPE(batch_norm, BatchNormCall)
CBNET_BY_DTYPE(batch_norm_backward, BatchNormBackwardCall)

}  // namespace cbnet::cpu
