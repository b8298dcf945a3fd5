#include <algorithm>
#include <cmath>

#include "tensor/reference/functions.h"

namespace cbnet::reference {
namespace {

/// The cut keeps the loss of p = 0 and p = 1 finite.
double cut(double log_p) { return std::max(log_p, -100.0); }
double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
/// Returns ln(1 + exp(x)), by the exponential that cannot overflow.
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
/// 0 * inf is 0 here: what has no weight costs nothing.
double weighted(double weight, double value) { return weight == 0.0 ? 0.0 : weight * value; }

double element_loss(LossKind kind, double x, double t) {
  switch (kind) {
    case LossKind::mse:
      return (x - t) * (x - t);
    case LossKind::bce:
      return -(t * cut(std::log(x)) + (1.0 - t) * cut(std::log1p(-x)));
    case LossKind::bce_with_logits:  // ln sigmoid(x) = -softplus(-x)
      return weighted(t, softplus(-x)) + weighted(1.0 - t, softplus(x));
    case LossKind::l1:
      break;
  }
  return std::abs(x);
}

double gradient_by_x(LossKind kind, double x, double t) {
  switch (kind) {
    case LossKind::mse:
      return 2.0 * (x - t);
    case LossKind::bce:
      return (x - t) / std::max(x * (1.0 - x), 1e-12);
    case LossKind::bce_with_logits:
      // This is sigmoid(x) - t, and for x >= 0, where that cancels, by what is left to 1.
      return x < 0.0 ? sigmoid(x) - t : (1.0 - t) - sigmoid(-x);
    case LossKind::l1:
      break;
  }
  return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : 0.0;
}

double gradient_by_target(LossKind kind, double x, double t) {
  switch (kind) {
    case LossKind::mse:
      return -2.0 * (x - t);
    case LossKind::bce:
      return cut(std::log1p(-x)) - cut(std::log(x));
    case LossKind::bce_with_logits:
      return -x;
    case LossKind::l1:
      break;
  }
  return 0.0;
}

}  // namespace

void loss(const LossCall& call) {
  const Source x(call.x, call.dtype), target(call.target, call.dtype);
  double sum = 0.0;
  for (int64_t i = 0; i < call.count; ++i) sum += element_loss(call.kind, x[i], target ? target[i] : 0.0);
  Target(call.y, call.dtype).set(0, call.coefficient * sum / call.divisor);
}

void loss_backward(const LossBackwardCall& call) {
  const Source x(call.x, call.dtype), target(call.target, call.dtype), dy(call.dy, call.dtype);
  Target dx(call.dx, call.dtype), dtarget(call.dtarget, call.dtype);
  const double scale = call.coefficient * dy[0] / call.divisor;
  for (int64_t i = 0; i < call.count; ++i) {
    const double t = target ? target[i] : 0.0;
    if (dx) dx.set(i, scale * gradient_by_x(call.kind, x[i], t));
    if (dtarget) dtarget.set(i, scale * gradient_by_target(call.kind, x[i], t));
  }
}

void cross_entropy(const CrossEntropyCall& call) {
  const Source log_p(call.log_p, call.dtype);
  double sum = 0.0;
  for (int64_t row = 0; row < call.rows; ++row) {
    for (int64_t c = 0; c < call.classes; ++c) {
      const double q = (c == call.labels[row] ? 1.0 - call.smoothing : 0.0) +
                       call.smoothing / static_cast<double>(call.classes);
      sum -= weighted(q, log_p[row * call.classes + c]);
    }
  }
  Target(call.y, call.dtype).set(0, sum / static_cast<double>(call.rows));
}

void cross_entropy_backward(const CrossEntropyBackwardCall& call) {
  const Source log_p(call.log_p, call.dtype), dy(call.dy, call.dtype);
  Target dx(call.dx, call.dtype);
  for (int64_t row = 0; row < call.rows; ++row) {
    for (int64_t c = 0; c < call.classes; ++c) {
      const double q = (c == call.labels[row] ? 1.0 - call.smoothing : 0.0) +
                       call.smoothing / static_cast<double>(call.classes);
      const int64_t i = row * call.classes + c;
      dx.set(i, (std::exp(log_p[i]) - q) * dy[0] / static_cast<double>(call.rows));
    }
  }
}

}  // namespace cbnet::reference
