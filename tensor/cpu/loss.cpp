// `loss`, `cross_entropy` and their gradients in tensor/reference/loss.cpp define what this file computes.
#include <cmath>

#include "tensor/cpu/functions.h"

namespace cbnet::cpu {
namespace {

/// Returns term(0) + … + term(count - 1) in f64. Pieces of fixed size are spread over the threads and added
/// in order, so that any number of threads gives the same bits.
template <class Term>
double ordered_sum(std::int64_t count, Term&& term) {
  constexpr std::int64_t kPiece = 1 << 13;
  std::vector<double> partial(static_cast<std::size_t>((count + kPiece - 1) / kPiece));
  parallel_for(static_cast<std::int64_t>(partial.size()), 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t piece = begin; piece < end; ++piece) {
      const std::int64_t first = piece * kPiece;
      partial[static_cast<std::size_t>(piece)] = lane_sum(
          std::min(kPiece, count - first), [&term, first](std::int64_t i) { return term(first + i); });
    }
  });
  double total = 0.0;
  for (const double part : partial) total += part;
  return total;
}

/// Sets to[i] = value(i), spread over the threads; does nothing without a `to`.
template <class T, class Value>
void map(void* to, std::int64_t count, Value&& value) {
  if (to == nullptr) return;
  parallel_for(count, kGrainElements, [&value, out = as<T>(to)](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) out[i] = value(i);
  });
}

// The cut logarithms of bce keep the loss finite at p = 0 and p = 1.
constexpr double kMinLog = -100.0;
constexpr double kMinVariance = 1e-12;

double log_of(double p) { return std::max(std::log(p), kMinLog); }

/// Both return ln(1 - p); 1 - p of an f32 is exact enough in f64.
double log_of_rest(float p) { return log_of(1.0 - static_cast<double>(p)); }
double log_of_rest(double p) { return std::max(std::log1p(-p), kMinLog); }

// For bce_with_logits, with e = exp(-|x|), which cannot overflow, an element's loss is ln(1 + e) + |x| times
// the fraction that the target gives to the side of 0 on which x is not; nothing cancels.
double wrong_fraction(double x, double t) { return x >= 0.0 ? 1.0 - t : t; }

double logit_loss(double x, double t) {
  const double fraction = wrong_fraction(x, t);
  return std::log1p(std::exp(-std::abs(x))) + (fraction == 0.0 ? 0.0 : fraction * std::abs(x));
}

/// Returns sigmoid(x) - t.
double logit_gradient(double x, double t) {
  const double e = std::exp(-std::abs(x));
  const double rest = e / (1.0 + e);  // of the sigmoid on the side of 0 on which x is not
  return x >= 0.0 ? wrong_fraction(x, t) - rest : rest - wrong_fraction(x, t);
}

template <class T>
double sum_of(const LossCall& call) {
  const T *x = as<T>(call.x), *t = as<T>(call.target);
  const auto wide = [](T value) { return static_cast<double>(value); };
  switch (call.kind) {
    case LossKind::mse:
      return ordered_sum(call.count, [=](std::int64_t i) {
        const double difference = wide(x[i]) - wide(t[i]);
        return difference * difference;
      });
    case LossKind::bce:
      return ordered_sum(call.count, [=](std::int64_t i) {
        return -(wide(t[i]) * log_of(wide(x[i])) + (1.0 - wide(t[i])) * log_of_rest(x[i]));
      });
    case LossKind::bce_with_logits:
      return ordered_sum(call.count, [=](std::int64_t i) { return logit_loss(wide(x[i]), wide(t[i])); });
    case LossKind::l1:
      break;
  }
  return ordered_sum(call.count, [=](std::int64_t i) { return std::abs(x[i]); });
}

template <class T>
void loss_backward_of(const LossBackwardCall& call) {
  const T *x = as<T>(call.x), *t = as<T>(call.target);
  const double dy = static_cast<double>(*as<T>(call.dy));
  const double scale = call.coefficient * dy / call.divisor;
  const T narrow = static_cast<T>(scale);
  const auto wide = [](T value) { return static_cast<double>(value); };
  switch (call.kind) {
    case LossKind::mse: {
      const T twice = static_cast<T>(2.0 * dy / call.divisor);
      map<T>(call.dx, call.count, [=](std::int64_t i) { return twice * (x[i] - t[i]); });
      return map<T>(call.dtarget, call.count, [=](std::int64_t i) { return -twice * (x[i] - t[i]); });
    }
    case LossKind::bce:
      map<T>(call.dx, call.count, [=](std::int64_t i) {
        return narrow * (x[i] - t[i]) / std::max(x[i] * (T(1) - x[i]), static_cast<T>(kMinVariance));
      });
      return map<T>(call.dtarget, call.count, [=](std::int64_t i) {
        return static_cast<T>(scale * (log_of_rest(x[i]) - log_of(wide(x[i]))));
      });
    case LossKind::bce_with_logits:
      map<T>(call.dx, call.count,
             [=](std::int64_t i) { return static_cast<T>(scale * logit_gradient(wide(x[i]), wide(t[i]))); });
      return map<T>(call.dtarget, call.count,
                    [=](std::int64_t i) { return static_cast<T>(-scale * wide(x[i])); });
    case LossKind::l1:
      return map<T>(call.dx, call.count,
                    [=](std::int64_t i) { return x[i] > T(0) ? narrow : (x[i] < T(0) ? -narrow : T(0)); });
  }
}

template <class T>
double cross_entropy_sum(const CrossEntropyCall& call) {
  double sum = 0.0;
  for (std::int64_t row = 0; row < call.rows; ++row) {
    const T* l = as<T>(call.log_p) + row * call.classes;
    // Fractions of 0 are left out rather than multiplied by a logarithm that may be -inf.
    if (call.smoothing < 1.0) sum -= (1.0 - call.smoothing) * static_cast<double>(l[call.labels[row]]);
    if (call.smoothing > 0.0) {
      double all = 0.0;
      for (std::int64_t c = 0; c < call.classes; ++c) all += static_cast<double>(l[c]);
      sum -= call.smoothing / static_cast<double>(call.classes) * all;
    }
  }
  return sum;
}

}  // namespace

template <class T>
void loss_of(const LossCall& call) {
  *as<T>(call.y) = static_cast<T>(call.coefficient * sum_of<T>(call) / call.divisor);
}
CBNET_BY_DTYPE(loss, LossCall)

CBNET_BY_DTYPE(loss_backward, LossBackwardCall)

template <class T>
void cross_entropy_of(const CrossEntropyCall& call) {
  *as<T>(call.y) = static_cast<T>(cross_entropy_sum<T>(call) / static_cast<double>(call.rows));
}
CBNET_BY_DTYPE(cross_entropy, CrossEntropyCall)

template <class T>
void cross_entropy_backward_of(const CrossEntropyBackwardCall& call) {
  const T factor = static_cast<T>(static_cast<double>(*as<T>(call.dy)) / static_cast<double>(call.rows));
  const T everywhere = static_cast<T>(call.smoothing / static_cast<double>(call.classes));
  const T at_label = static_cast<T>(1.0 - call.smoothing);
  for (std::int64_t row = 0; row < call.rows; ++row) {
    const T* l = as<T>(call.log_p) + row * call.classes;
    T* to = as<T>(call.dx) + row * call.classes;
    for (std::int64_t c = 0; c < call.classes; ++c) to[c] = (std::exp(l[c]) - everywhere) * factor;
    to[call.labels[row]] -= at_label * factor;
  }
}
CBNET_BY_DTYPE(cross_entropy_backward, CrossEntropyBackwardCall)

}  // namespace cbnet::cpu
