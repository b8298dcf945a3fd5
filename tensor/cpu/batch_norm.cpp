// `batch_norm` and `batch_norm_backward` in tensor/reference/batch_norm.cpp define what this file computes:
// sums are f64, rounded once where an element is stored, and the variance takes a second pass over x - mean.
// x is (n, channels, plane), and a channel's sum runs over its n planes.
#include <cmath>

#include "tensor/cpu/functions.h"

namespace cbnet::cpu {
namespace {

struct Planes {
  std::int64_t n, channels, plane;
  std::int64_t per_channel() const { return n * plane; }
};

/// Sets sums[c] to the sum of term(i, c) over the elements i of every channel c. Threads own channels, so the
/// order of a sum does not depend on their number.
template <class Term>
void channel_sums(const Planes& s, double* sums, Term&& term) {
  parallel_for(s.channels, kGrainElements / std::max<std::int64_t>(s.per_channel(), 1) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 std::fill(sums + begin, sums + end, 0.0);
                 for (std::int64_t n = 0; n < s.n; ++n) {
                   for (std::int64_t c = begin; c < end; ++c) {
                     const std::int64_t first = (n * s.channels + c) * s.plane;
                     sums[c] += lane_sum(s.plane, [&](std::int64_t i) { return term(first + i, c); });
                   }
                 }
               });
}

/// Calls map(i, c) for every element i, c being its channel.
template <class Map>
void for_each_element(const Planes& s, Map&& map) {
  for_each_of(s.n * s.channels, s.plane, [&](std::int64_t run) {
    for (std::int64_t i = run * s.plane; i < (run + 1) * s.plane; ++i) map(i, run % s.channels);
  });
}

template <class T>
void batch_norm_of(const BatchNormCall& call) {
  const Planes sizes{call.n, call.channels, call.plane};
  const T *x = as<T>(call.x), *gamma = as<T>(call.gamma), *beta = as<T>(call.beta);
  const T *running_mean = as<T>(call.running_mean), *running_var = as<T>(call.running_var);
  T* y = as<T>(call.y);
  double *mean = call.mean, *var = call.inverse_std;
  if (call.training) {
    const auto count = static_cast<double>(sizes.per_channel());
    channel_sums(sizes, mean, [&](std::int64_t i, std::int64_t) { return x[i]; });
    for (std::int64_t c = 0; c < call.channels; ++c) mean[c] /= count;
    channel_sums(sizes, var, [&](std::int64_t i, std::int64_t c) {
      const double centred = static_cast<double>(x[i]) - mean[c];
      return centred * centred;
    });
    const double momentum = call.momentum, unbiased = count / (count - 1.0);
    for (std::int64_t c = 0; c < call.channels; ++c) {
      var[c] /= count;
      as<T>(call.moved_mean)[c] =
          static_cast<T>((1.0 - momentum) * static_cast<double>(running_mean[c]) + momentum * 1.0 * mean[c]);
      as<T>(call.moved_var)[c] = static_cast<T>((1.0 - momentum) * static_cast<double>(running_var[c]) +
                                                momentum * unbiased * var[c]);
    }
  } else {
    std::copy_n(running_mean, call.channels, mean);
    std::copy_n(running_var, call.channels, var);
  }
  double* inverse_std = var;
  for (std::int64_t c = 0; c < call.channels; ++c) inverse_std[c] = 1.0 / std::sqrt(var[c] + call.eps);
  for_each_element(sizes, [=](std::int64_t i, std::int64_t c) {
    const double xhat = (static_cast<double>(x[i]) - mean[c]) * inverse_std[c];
    y[i] = static_cast<T>(static_cast<double>(gamma[c]) * xhat + static_cast<double>(beta[c]));
  });
}

template <class T>
void batch_norm_backward_of(const BatchNormBackwardCall& call) {
  const Planes sizes{call.n, call.channels, call.plane};
  const T *x = as<T>(call.x), *dy = as<T>(call.dy), *gamma = as<T>(call.gamma);
  const double *mean = call.mean, *inverse_std = call.inverse_std;
  const auto xhat = [=](std::int64_t i, std::int64_t c) {
    return (static_cast<double>(x[i]) - mean[c]) * inverse_std[c];
  };
  std::vector<double> sums(static_cast<std::size_t>(2 * call.channels));
  double *dbeta = sums.data(), *dgamma = dbeta + call.channels;
  channel_sums(sizes, dbeta, [&](std::int64_t i, std::int64_t) { return dy[i]; });
  channel_sums(sizes, dgamma,
               [&](std::int64_t i, std::int64_t c) { return static_cast<double>(dy[i]) * xhat(i, c); });
  if (call.dx != nullptr) {
    // In evaluation the statistics do not move with x.
    const double fraction = call.training ? 1.0 / static_cast<double>(sizes.per_channel()) : 0.0;
    for_each_element(sizes, [&, dx = as<T>(call.dx)](std::int64_t i, std::int64_t c) {
      const double left =
          static_cast<double>(dy[i]) - fraction * dbeta[c] - xhat(i, c) * (fraction * dgamma[c]);
      dx[i] = static_cast<T>(static_cast<double>(gamma[c]) * inverse_std[c] * left);
    });
  }
  for (std::int64_t c = 0; c < call.channels; ++c) {
    if (call.dgamma != nullptr) as<T>(call.dgamma)[c] = static_cast<T>(dgamma[c]);
    if (call.dbeta != nullptr) as<T>(call.dbeta)[c] = static_cast<T>(dbeta[c]);
  }
}

}  // namespace

CBNET_BY_DTYPE(batch_norm, BatchNormCall)
CBNET_BY_DTYPE(batch_norm_backward, BatchNormBackwardCall)

}  // namespace cbnet::cpu
