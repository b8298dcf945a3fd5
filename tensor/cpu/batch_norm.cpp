// `batch_norm` and `batch_norm_backward` in tensor/reference/batch_norm.cpp define what this file computes,
// in f64. x is (n, channels, plane). Threads own channels: all passes over one follow one another, while its
// planes are in the cache, and the order of a sum does not depend on the number of threads.
//
// The variance takes no pass of its own: of deviations from the channel's first element, one of those that
// the mean is made of, it is (sum d^2 - (sum d)^2 / M) / M. What cancels is at most M times what is left, so
// that f64 keeps it to M * 1e-16, and a constant channel's is zero.
#include <cmath>

#include "tensor/cpu/functions.h"
#include "tensor/cpu/kernels/isa_table.h"

namespace cbnet::cpu {
namespace {

/// Calls fn(c, where the channel begins, its planes) for every channel.
template <class Call, class Fn>
void for_each_channel(const Call& call, Fn&& fn) {
  for_each_of(call.channels, call.n * call.plane, [&](std::int64_t c) {
    fn(c, c * call.plane, kernels::ChannelPlanes{call.n, call.channels * call.plane, call.plane});
  });
}

template <class T>
void batch_norm_of(const BatchNormCall& call) {
  const auto& table = kernels::isa_table<T>();
  const T *running_mean = as<T>(call.running_mean), *running_var = as<T>(call.running_var);
  for_each_channel(call, [&](std::int64_t c, std::int64_t first, const kernels::ChannelPlanes& planes) {
    const T* x = as<T>(call.x) + first;
    auto mean = static_cast<double>(running_mean[c]), var = static_cast<double>(running_var[c]);
    if (call.training) {
      const auto count = static_cast<double>(call.n * call.plane);
      const double shift = std::isfinite(x[0]) ? static_cast<double>(x[0]) : 0.0;
      double sums[2];
      table.batch_norm_sums(x, nullptr, planes, shift, sums);
      const double momentum = call.momentum, kept = 1.0 - momentum;
      const double of_mean = kept * mean, of_var = kept * var;
      mean = shift + sums[0] / count;
      var = std::max(sums[1] - sums[0] * sums[0] / count, 0.0) / count;  // NaN stays NaN
      as<T>(call.moved_mean)[c] = static_cast<T>(of_mean + momentum * mean);
      as<T>(call.moved_var)[c] = static_cast<T>(of_var + momentum * (count / (count - 1.0)) * var);
    }
    call.mean[c] = mean;
    call.inverse_std[c] = 1.0 / std::sqrt(var + call.eps);
    const double scale = static_cast<double>(as<T>(call.gamma)[c]) * call.inverse_std[c];
    table.batch_norm_forward(x, as<T>(call.y) + first, planes,
                             {mean, scale, static_cast<double>(as<T>(call.beta)[c])});
  });
}

template <class T>
void batch_norm_backward_of(const BatchNormBackwardCall& call) {
  const auto& table = kernels::isa_table<T>();
  for_each_channel(call, [&](std::int64_t c, std::int64_t first, const kernels::ChannelPlanes& planes) {
    const T *x = as<T>(call.x) + first, *dy = as<T>(call.dy) + first;
    const double mean = call.mean[c], inverse_std = call.inverse_std[c];
    double sums[2];
    table.batch_norm_sums(x, dy, planes, mean, sums);
    const double dbeta = sums[0], dgamma = sums[1] * inverse_std;
    if (call.dx != nullptr) {
      // In evaluation the statistics do not move with x.
      const double fraction = call.training ? 1.0 / static_cast<double>(call.n * call.plane) : 0.0;
      const double scale = static_cast<double>(as<T>(call.gamma)[c]) * inverse_std;
      table.batch_norm_backward(x, dy, as<T>(call.dx) + first, planes,
                                {mean, scale, fraction * dbeta, fraction * dgamma * inverse_std});
    }
    if (call.dgamma != nullptr) as<T>(call.dgamma)[c] = static_cast<T>(dgamma);
    if (call.dbeta != nullptr) as<T>(call.dbeta)[c] = static_cast<T>(dbeta);
  });
}

}  // namespace

CBNET_BY_DTYPE(batch_norm, BatchNormCall)
CBNET_BY_DTYPE(batch_norm_backward, BatchNormBackwardCall)

}  // namespace cbnet::cpu
