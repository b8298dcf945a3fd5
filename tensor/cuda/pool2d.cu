#include <cmath>

#include "tensor/cuda/elements.cuh"
#include "tensor/cuda/functions.h"

namespace cbnet::cuda {
namespace {

/// These are Pool2dDims by 32 bits, and what a mean is divided by.
struct PoolWindows {
  std::int64_t planes;
  int h, w, oh, ow, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  bool average, count_include_pad;

  /// Calls visit(row * w + column) for the elements of window (i, j) that lie in the input.
  template <class Visit>
  __device__ void for_each_element_of(int i, int j, Visit visit) const {
    for (int ky = 0; ky < kernel_h; ++ky) {
      const int row = i * stride_h - pad_h + ky * dilation_h;
      if (row < 0 || row >= h) continue;
      for (int kx = 0; kx < kernel_w; ++kx) {
        const int column = j * stride_w - pad_w + kx * dilation_w;
        if (column >= 0 && column < w) visit(row * w + column);
      }
    }
  }

  /// Returns how many of the kernel's taps from `first` on stand in [low, high).
  __device__ static int taps_in(int first, int kernel, int dilation, int low, int high) {
    int taps = 0;
    for (int k = 0; k < kernel; ++k)
      taps += first + k * dilation >= low && first + k * dilation < high ? 1 : 0;
    return taps;
  }
  __device__ int divisor(int i, int j) const {
    const int row = i * stride_h - pad_h, column = j * stride_w - pad_w;
    const int inside = taps_in(row, kernel_h, dilation_h, 0, h) * taps_in(column, kernel_w, dilation_w, 0, w);
    if (inside == 0) return 1;
    if (!count_include_pad) return inside;
    return taps_in(row, kernel_h, dilation_h, -pad_h, h + pad_h) *
           taps_in(column, kernel_w, dilation_w, -pad_w, w + pad_w);
  }
};

template <class Call>
PoolWindows windows_of(const Call& call) {
  const Pool2dDims& d = call.dims;
  const auto number = [](std::int64_t size) { return static_cast<int>(size); };
  return {d.planes,
          number(d.h),
          number(d.w),
          number(d.oh),
          number(d.ow),
          number(d.kernel_h),
          number(d.kernel_w),
          number(d.stride_h),
          number(d.stride_w),
          number(d.pad_h),
          number(d.pad_w),
          number(d.dilation_h),
          number(d.dilation_w),
          call.average,
          call.count_include_pad};
}

/// A thread takes each window.
template <class T>
__global__ void pool2d_kernel(PoolWindows p, const T* xs, T* y, std::int32_t* argmax) {
  const std::int64_t windows = std::int64_t{p.oh} * p.ow;
  for_each_element(p.planes * windows, [&](std::int64_t to) {
    const std::int64_t plane = divide(to, windows);
    const int window = static_cast<int>(to - plane * windows), i = window / p.ow, j = window - i * p.ow;
    const T* x = xs + plane * p.h * p.w;
    T sum = 0, largest = T(-INFINITY);
    int where = -1;
    p.for_each_element_of(i, j, [&](int element) {
      const T value = x[element];
      sum += value;
      if (where < 0 || value > largest || (std::isnan(value) && !std::isnan(largest))) {
        largest = value;
        where = element;
      }
    });
    y[to] = p.average ? sum / static_cast<T>(p.divisor(i, j)) : largest;
    if (argmax != nullptr) argmax[to] = where;
  });
}

/// A thread takes each element of x and collects what its windows hand down: nobody writes to another's sum.
template <class T>
__global__ void pool2d_backward_kernel(PoolWindows p, const T* dy, const std::int32_t* argmax, T* dx) {
  const int area = p.h * p.w;
  for_each_element(p.planes * area, [&](std::int64_t to) {
    const std::int64_t plane = divide(to, area);
    const int element = static_cast<int>(to - plane * area), row = element / p.w,
              column = element - row * p.w;
    const std::int64_t first = plane * p.oh * p.ow;
    T sum = 0;
    for (int ky = 0; ky < p.kernel_h; ++ky) {
      const int from_h = row + p.pad_h - ky * p.dilation_h, i = from_h / p.stride_h;
      if (from_h < 0 || i * p.stride_h != from_h || i >= p.oh) continue;
      for (int kx = 0; kx < p.kernel_w; ++kx) {
        const int from_w = column + p.pad_w - kx * p.dilation_w, j = from_w / p.stride_w;
        if (from_w < 0 || j * p.stride_w != from_w || j >= p.ow) continue;
        const std::int64_t window = first + std::int64_t{i} * p.ow + j;
        if (p.average) {
          sum += dy[window] / static_cast<T>(p.divisor(i, j));
        } else if (argmax[window] == element) {
          sum += dy[window];
        }
      }
    }
    dx[to] = sum;
  });
}

template <class T>
void pool2d_of(const Pool2dCall& call) {
  const PoolWindows windows = windows_of(call);
  launch("pool2d", pool2d_kernel<T>, elements_grid(call.dims.planes * call.dims.oh * call.dims.ow), windows,
         static_cast<const T*>(call.x), static_cast<T*>(call.y), call.argmax);
}

template <class T>
void pool2d_backward_of(const Pool2dBackwardCall& call) {
  const PoolWindows windows = windows_of(call);
  launch("pool2d", pool2d_backward_kernel<T>, elements_grid(call.dims.planes * call.dims.h * call.dims.w),
         windows, static_cast<const T*>(call.dy), call.argmax, static_cast<T*>(call.dx));
}

}  // namespace

CBNET_BY_DTYPE(pool2d, Pool2dCall)
CBNET_BY_DTYPE(pool2d_backward, Pool2dBackwardCall)

}  // namespace cbnet::cuda
