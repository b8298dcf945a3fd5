#include "tensor/cpu/kernels/softmax.h"

#include "tensor/cpu/functions.h"

namespace cbnet::cpu {
namespace {

template <class T>
void forward(const SoftmaxCall& c) {
  const T* x = as<T>(c.x);
  T* y = as<T>(c.y);
  switch (c.kind) {
    case SoftmaxKind::softmax:
      return kernels::softmax<T>(x, y, c.outer, c.channels, c.inner);
    case SoftmaxKind::log_softmax:
      return kernels::log_softmax<T>(x, y, c.outer, c.channels, c.inner);
    case SoftmaxKind::entropy:
      return kernels::softmax_entropy<T>(x, y, as<T>(c.entropy), c.outer, c.channels);
  }
}

template <class T>
void backward(const SoftmaxBackwardCall& c) {
  const T *y = as<T>(c.y), *dy = as<T>(c.dy);
  T* dx = as<T>(c.dx);
  switch (c.kind) {
    case SoftmaxKind::softmax:
      return kernels::softmax_backward<T>(y, dy, dx, c.outer, c.channels, c.inner);
    case SoftmaxKind::log_softmax:
      return kernels::log_softmax_backward<T>(y, dy, dx, c.outer, c.channels, c.inner);
    case SoftmaxKind::entropy:
      return kernels::softmax_entropy_backward<T>(y, as<T>(c.entropy), dy, dx, c.outer, c.channels);
  }
}

}  // namespace

void softmax(const SoftmaxCall& call) {
  dispatch_floating(call.dtype, "softmax", [&](auto zero) { forward<decltype(zero)>(call); });
}

void softmax_backward(const SoftmaxBackwardCall& call) {
  dispatch_floating(call.dtype, "softmax", [&](auto zero) { backward<decltype(zero)>(call); });
}

}  // namespace cbnet::cpu
