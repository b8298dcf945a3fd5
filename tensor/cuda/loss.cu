#include <cmath>

#include "tensor/cuda/functions.h"
#include "tensor/cuda/reduce.cuh"

namespace cbnet::cuda {
namespace {

// The formulas are those of tensor/reference/loss.cpp, which says why they are written so.
template <class T>
__device__ T cut(T log_p) {
  return log_p > T(-100) ? log_p : T(-100);
}
template <class T>
__device__ T sigmoid(T x) {
  return T(1) / (T(1) + std::exp(-x));
}
template <class T>
__device__ T softplus(T x) {
  return (x > T(0) ? x : T(0)) + std::log1p(std::exp(-std::abs(x)));
}
template <class T>
__device__ T weighted(T weight, T value) {
  return weight == T(0) ? T(0) : weight * value;
}

template <class T>
struct ElementLoss {
  LossKind kind;
  const T *xs, *targets;

  __device__ double operator()(std::int64_t i) const {
    const T x = xs[i], t = targets == nullptr ? T(0) : targets[i];
    switch (kind) {
      case LossKind::mse:
        return (x - t) * (x - t);
      case LossKind::bce:
        return -(t * cut(std::log(x)) + (T(1) - t) * cut(std::log1p(-x)));
      case LossKind::bce_with_logits:
        return weighted(t, softplus(-x)) + weighted(T(1) - t, softplus(x));
      case LossKind::l1:
        break;
    }
    return std::abs(x);
  }
};

template <class T>
__device__ T gradient_by_x(LossKind kind, T x, T t) {
  switch (kind) {
    case LossKind::mse:
      return T(2) * (x - t);
    case LossKind::bce: {
      const T slope = x * (T(1) - x);
      return (x - t) / (slope > T(1e-12) ? slope : T(1e-12));
    }
    case LossKind::bce_with_logits:
      return x < T(0) ? sigmoid(x) - t : (T(1) - t) - sigmoid(-x);
    case LossKind::l1:
      break;
  }
  return x > T(0) ? T(1) : x < T(0) ? T(-1) : T(0);
}

template <class T>
__device__ T gradient_by_target(LossKind kind, T x, T t) {
  switch (kind) {
    case LossKind::mse:
      return T(-2) * (x - t);
    case LossKind::bce:
      return cut(std::log1p(-x)) - cut(std::log(x));
    case LossKind::bce_with_logits:
      return -x;
    case LossKind::l1:
      break;
  }
  return T(0);
}

template <class T>
__global__ void loss_backward_kernel(LossKind kind, std::int64_t count, double factor, const T* x,
                                     const T* target, const T* dy, T* dx, T* dtarget) {
  const T scale = static_cast<T>(factor * static_cast<double>(*dy));
  for_each_element(count, [&](std::int64_t i) {
    const T t = target == nullptr ? T(0) : target[i];
    if (dx != nullptr) dx[i] = scale * gradient_by_x(kind, x[i], t);
    if (dtarget != nullptr) dtarget[i] = scale * gradient_by_target(kind, x[i], t);
  });
}

template <class T>
void loss_of(const LossCall& call) {
  const ElementLoss<T> element{call.kind, static_cast<const T*>(call.x), static_cast<const T*>(call.target)};
  sum_of("loss", call.count, element, call.coefficient / call.divisor, static_cast<T*>(call.y));
}

template <class T>
void loss_backward_of(const LossBackwardCall& call) {
  launch("loss", loss_backward_kernel<T>, elements_grid(call.count), call.kind, call.count,
         call.coefficient / call.divisor, static_cast<const T*>(call.x), static_cast<const T*>(call.target),
         static_cast<const T*>(call.dy), static_cast<T*>(call.dx), static_cast<T*>(call.dtarget));
}

/// Returns what the label and the smoothing make of element i of (rows, classes).
struct LabelWeights {
  std::int64_t classes;
  double smoothing;
  const std::int64_t* labels;

  __device__ double operator()(std::int64_t i) const {
    const std::int64_t row = divide(i, classes);
    const double everywhere = smoothing / static_cast<double>(classes);
    return i - row * classes == labels[row] ? 1.0 - smoothing + everywhere : everywhere;
  }
};

template <class T>
struct ElementCrossEntropy {
  LabelWeights weights;
  const T* log_p;
  __device__ double operator()(std::int64_t i) const {
    return -weighted(weights(i), static_cast<double>(log_p[i]));
  }
};

template <class T>
__global__ void cross_entropy_backward_kernel(std::int64_t rows, LabelWeights weights, const T* log_p,
                                              const T* dy, T* dx) {
  const T scale = *dy / static_cast<T>(rows);
  for_each_element(rows * weights.classes, [&](std::int64_t i) {
    dx[i] = (std::exp(log_p[i]) - static_cast<T>(weights(i))) * scale;
  });
}

template <class T>
void cross_entropy_of(const CrossEntropyCall& call) {
  const ElementCrossEntropy<T> element{{call.classes, call.smoothing, call.labels},
                                       static_cast<const T*>(call.log_p)};
  sum_of("cross_entropy", call.rows * call.classes, element, 1.0 / static_cast<double>(call.rows),
         static_cast<T*>(call.y));
}

template <class T>
void cross_entropy_backward_of(const CrossEntropyBackwardCall& call) {
  launch("cross_entropy", cross_entropy_backward_kernel<T>, elements_grid(call.rows * call.classes),
         call.rows, LabelWeights{call.classes, call.smoothing, call.labels},
         static_cast<const T*>(call.log_p), static_cast<const T*>(call.dy), static_cast<T*>(call.dx));
}

}  // namespace

CBNET_BY_DTYPE(loss, LossCall)
CBNET_BY_DTYPE(loss_backward, LossBackwardCall)
CBNET_BY_DTYPE(cross_entropy, CrossEntropyCall)
CBNET_BY_DTYPE(cross_entropy_backward, CrossEntropyBackwardCall)

}  // namespace cbnet::cuda
