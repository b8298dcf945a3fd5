#include <cmath>

#include "tensor/cuda/elements.cuh"
#include "tensor/cuda/functions.h"

namespace cbnet::cuda {
namespace {

constexpr unsigned kLanes = 32;

/// A warp takes each line of (outer, channels, inner); lane l takes the channels l, l + 32, ….
struct Lines {
  std::int64_t count, channels, inner;

  /// Returns the warp's line, or -1.
  __device__ std::int64_t mine() const {
    const std::int64_t line = std::int64_t{blockIdx.x} * (blockDim.x / kLanes) + threadIdx.x / kLanes;
    return line < count ? line : -1;
  }
  __device__ std::int64_t first(std::int64_t line) const {
    const std::int64_t outer = divide(line, inner);
    return outer * channels * inner + (line - outer * inner);
  }
  template <class Visit>
  __device__ void for_each_channel(Visit visit) const {
    for (std::int64_t c = threadIdx.x % kLanes; c < channels; c += kLanes) visit(c, c * inner);
  }
};

template <class Call>
Lines lines_of(const Call& call) {
  return {call.outer * call.inner, call.channels, call.inner};
}
Grid lines_grid(const Lines& lines) {
  constexpr std::int64_t kWarps = kThreads / kLanes;
  return {dim3(static_cast<unsigned>((lines.count + kWarps - 1) / kWarps)), dim3(kThreads)};
}

template <class T>
__device__ T warp_sum(T value) {
  return warp_reduce(value, [](T a, T b) { return a + b; });
}

/// Finds the largest value of a line and the first place of it.
template <class T>
struct Largest {
  T value;
  std::int64_t channel;
};

template <class T>
__device__ Largest<T> largest_of(const Lines& lines, const T* x) {
  Largest<T> best{T(-INFINITY), lines.channels};
  lines.for_each_channel([&](std::int64_t c, std::int64_t at) {
    if (x[at] > best.value || best.channel == lines.channels) best = {x[at], c};
  });
  for (int bits = 16; bits > 0; bits /= 2) {
    const T value = __shfl_xor_sync(0xFFFFFFFFU, best.value, bits);
    const std::int64_t channel = __shfl_xor_sync(0xFFFFFFFFU, best.channel, bits);
    if (value > best.value || (value == best.value && channel < best.channel)) best = {value, channel};
  }
  return best;
}

template <class T>
__global__ void softmax_kernel(SoftmaxKind kind, Lines lines, const T* xs, T* ys, T* entropy) {
  const std::int64_t line = lines.mine();
  if (line < 0) return;  // with all of its warp
  const T* x = xs + lines.first(line);
  T* y = ys + lines.first(line);
  const Largest<T> top = largest_of(lines, x);
  // The largest element's own exp(0) = 1 stays out of the sum, as the reference explains.
  T rest = 0;
  lines.for_each_channel([&](std::int64_t c, std::int64_t at) {
    rest += std::exp(x[at] - top.value) - (c == top.channel ? T(1) : T(0));
  });
  const T log_sum = std::log1p(warp_sum(rest));
  T sum = 0;
  lines.for_each_channel([&](std::int64_t, std::int64_t at) {
    const T l = x[at] - top.value - log_sum, p = std::exp(l);
    y[at] = kind == SoftmaxKind::log_softmax ? l : p;
    if (p != T(0)) sum -= p * l;
  });
  if (kind != SoftmaxKind::entropy) return;
  sum = warp_sum(sum);
  if (threadIdx.x % kLanes == 0) entropy[line] = sum;
}

template <class T>
__global__ void softmax_backward_kernel(SoftmaxKind kind, Lines lines, const T* ys, const T* entropy,
                                        const T* dys, T* dxs) {
  const std::int64_t line = lines.mine();
  if (line < 0) return;
  const T *y = ys + lines.first(line), *dy = dys + (kind == SoftmaxKind::entropy ? line : lines.first(line));
  T* dx = dxs + lines.first(line);
  T sum = 0;  // of dy, or of dy y
  if (kind != SoftmaxKind::entropy) {
    lines.for_each_channel([&](std::int64_t, std::int64_t at) {
      sum += dy[at] * (kind == SoftmaxKind::softmax ? y[at] : T(1));
    });
    sum = warp_sum(sum);
  }
  lines.for_each_channel([&](std::int64_t, std::int64_t at) {
    const T p = y[at];
    dx[at] = kind == SoftmaxKind::softmax       ? p * (dy[at] - sum)
             : kind == SoftmaxKind::log_softmax ? dy[at] - std::exp(p) * sum
             : p == T(0)                        ? T(0)
                                                : -p * (std::log(p) + entropy[line]) * dy[0];
  });
}

template <class T>
void softmax_of(const SoftmaxCall& call) {
  const Lines lines = lines_of(call);
  launch("softmax", softmax_kernel<T>, lines_grid(lines), call.kind, lines, static_cast<const T*>(call.x),
         static_cast<T*>(call.y), static_cast<T*>(call.entropy));
}

template <class T>
void softmax_backward_of(const SoftmaxBackwardCall& call) {
  const Lines lines = lines_of(call);
  launch("softmax", softmax_backward_kernel<T>, lines_grid(lines), call.kind, lines,
         static_cast<const T*>(call.y), static_cast<const T*>(call.entropy), static_cast<const T*>(call.dy),
         static_cast<T*>(call.dx));
}

}  // namespace

CBNET_BY_DTYPE(softmax, SoftmaxCall)
CBNET_BY_DTYPE(softmax_backward, SoftmaxBackwardCall)

}  // namespace cbnet::cuda
