#include <cmath>

#include "tensor/reference/functions.h"

namespace cbnet::reference {
namespace {

/// Calls visit(where in x) for every element of a channel.
template <class Call, class Visit>
void for_each_of(const Call& call, int64_t channel, Visit visit) {
  for (int64_t n = 0; n < call.n; ++n) {
    for (int64_t i = 0; i < call.plane; ++i) visit((n * call.channels + channel) * call.plane + i);
  }
}

}  // namespace

void batch_norm(const BatchNormCall& call) {
  const Source x(call.x, call.dtype), gamma(call.gamma, call.dtype), beta(call.beta, call.dtype);
  const Source running_mean(call.running_mean, call.dtype), running_var(call.running_var, call.dtype);
  Target y(call.y, call.dtype), moved_mean(call.moved_mean, call.dtype),
      moved_var(call.moved_var, call.dtype);
  const auto count = static_cast<double>(call.n * call.plane);
  for (int64_t c = 0; c < call.channels; ++c) {
    double mean = running_mean[c], var = running_var[c];
    if (call.training) {
      double sum = 0.0, squares = 0.0;
      for_each_of(call, c, [&](int64_t i) { sum += x[i]; });
      mean = sum / count;
      for_each_of(call, c, [&](int64_t i) { squares += (x[i] - mean) * (x[i] - mean); });
      var = squares / count;
      moved_mean.set(c, (1.0 - call.momentum) * running_mean[c] + call.momentum * mean);
      moved_var.set(c, (1.0 - call.momentum) * running_var[c] + call.momentum * squares / (count - 1.0));
    }
    call.mean[c] = mean;
    call.inverse_std[c] = 1.0 / std::sqrt(var + call.eps);
    for_each_of(call, c,
                [&](int64_t i) { y.set(i, gamma[c] * (x[i] - mean) * call.inverse_std[c] + beta[c]); });
  }
}

void batch_norm_backward(const BatchNormBackwardCall& call) {
  const Source x(call.x, call.dtype), gamma(call.gamma, call.dtype), dy(call.dy, call.dtype);
  Target dx(call.dx, call.dtype), dgamma(call.dgamma, call.dtype), dbeta(call.dbeta, call.dtype);
  const auto count = static_cast<double>(call.n * call.plane);
  for (int64_t c = 0; c < call.channels; ++c) {
    const auto xhat = [&](int64_t i) { return (x[i] - call.mean[c]) * call.inverse_std[c]; };
    double by_beta = 0.0, by_gamma = 0.0;
    for_each_of(call, c, [&](int64_t i) {
      by_beta += dy[i];
      by_gamma += dy[i] * xhat(i);
    });
    if (dgamma) dgamma.set(c, by_gamma);
    if (dbeta) dbeta.set(c, by_beta);
    if (!dx) continue;
    for_each_of(call, c, [&](int64_t i) {
      // In evaluation the statistics do not move with x.
      const double moved = call.training ? (by_beta + xhat(i) * by_gamma) / count : 0.0;
      dx.set(i, gamma[c] * call.inverse_std[c] * (dy[i] - moved));
    });
  }
}

}  // namespace cbnet::reference
