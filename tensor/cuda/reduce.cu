#include "tensor/cuda/reduce.cuh"

#include <cmath>
#include <vector>

#include "tensor/cuda/functions.h"

namespace cbnet::cuda {
namespace {

template <class T>
struct ElementOf {
  const T* x;
  __device__ double operator()(std::int64_t i) const { return x[i]; }
};

/// A sum over some axes is told this: the axes that stay (strides of x and y) and those that are summed over.
template <class T>
struct AxesSum {
  const T* x;
  T* y;
  double factor;
  std::int64_t kept, summed;
  Strided kept_layout, summed_layout;
};

/// A thread takes each element of y.
template <class T>
__global__ void sum_few_kernel(AxesSum<T> sum) {
  for_each_element(sum.kept, [&](std::int64_t i) {
    const Strided::Offsets at = sum.kept_layout.offsets(i);
    double total = 0.0;
    for (std::int64_t s = 0; s < sum.summed; ++s)
      total += sum.x[at.at[0] + sum.summed_layout.offsets(s).at[0]];
    sum.y[at.at[1]] = static_cast<T>(total * sum.factor);
  });
}

/// A block takes each element of y.
template <class T>
__global__ void sum_many_kernel(AxesSum<T> sum) {
  const Strided::Offsets at = sum.kept_layout.offsets(blockIdx.x);
  double total = 0.0;
  for (std::int64_t s = threadIdx.x; s < sum.summed; s += blockDim.x) {
    total += sum.x[at.at[0] + sum.summed_layout.offsets(s).at[0]];
  }
  total = block_sum(total, shared_memory<double>());
  if (threadIdx.x == 0) sum.y[at.at[1]] = static_cast<T>(total * sum.factor);
}

template <class T>
void axes_sum_of(const SumCall& call) {
  // x is dense; an axis stays where y moves along it.
  std::vector<std::int64_t> shapes[2], x_strides[2], y_strides;
  std::int64_t x_stride = count_of(call.shape);
  if (x_stride == 0) {
    std::vector<std::int64_t> y_shape(call.shape.begin(), call.shape.end());
    for (std::size_t axis = 0; axis < y_shape.size(); ++axis)
      y_shape[axis] = call.y_strides[axis] == 0 ? 1 : y_shape[axis];
    fill({.dtype = call.dtype,
          .value = 0.0 * call.factor,
          .shape = y_shape,
          .target = call.y,
          .strides = call.y_strides});
    return;
  }
  for (std::size_t axis = 0; axis < call.shape.size(); ++axis) {
    x_stride /= call.shape[axis];
    const bool stays = call.y_strides[axis] != 0;
    shapes[stays].push_back(call.shape[axis]);
    x_strides[stays].push_back(x_stride);
    if (stays) y_strides.push_back(call.y_strides[axis]);
  }
  const AxesSum<T> sum{static_cast<const T*>(call.x),
                       static_cast<T*>(call.y),
                       call.factor,
                       count_of(shapes[1]),
                       count_of(shapes[0]),
                       strided("sum", shapes[1], x_strides[1], y_strides),
                       strided("sum", shapes[0], x_strides[0])};
  constexpr std::int64_t kFew = 64, kMany = std::int64_t{1} << 16;
  if (sum.kept == 1 && sum.summed >= kMany) {
    sum_of("sum", sum.summed, ElementOf<T>{sum.x}, call.factor, sum.y);
  } else if ((sum.summed < kFew) || (sum.kept > INT32_MAX)) {
    launch("sum", sum_few_kernel<T>, elements_grid(sum.kept), sum);
  } else {
    launch("sum", sum_many_kernel<T>,
           {dim3(static_cast<unsigned>(sum.kept)), dim3(kThreads), kThreads * sizeof(double)}, sum);
  }
}

/// This is a line of (outer, size, inner).
__device__ std::int64_t first_of_line(std::int64_t line, std::int64_t size, std::int64_t inner) {
  const std::int64_t outer = divide(line, inner);
  return outer * size * inner + (line - outer * inner);
}

template <class T>
__global__ void max_kernel(std::int64_t lines, std::int64_t size, std::int64_t inner, const T* x, T* y,
                           std::int64_t* index) {
  for_each_element(lines, [&](std::int64_t line) {
    const T* first = x + first_of_line(line, size, inner);
    T largest = first[0];
    std::int64_t where = 0;
    for (std::int64_t s = 1; s < size; ++s) {
      const T value = first[s * inner];
      if (value > largest || (std::isnan(value) && !std::isnan(largest))) {
        largest = value;
        where = s;
      }
    }
    y[line] = largest;
    index[line] = where;
  });
}

template <class T>
__global__ void max_backward_kernel(std::int64_t lines, std::int64_t size, std::int64_t inner, const T* dy,
                                    const std::int64_t* index, T* dx) {
  for_each_element(lines * size, [&](std::int64_t i) {
    const std::int64_t row = divide(i, inner), outer = divide(row, size);
    const std::int64_t line = outer * inner + (i - row * inner);
    dx[i] = index[line] == row - outer * size ? dy[line] : T(0);
  });
}

template <class T>
void max_of(const MaxCall& call) {
  const std::int64_t lines = call.outer * call.inner;
  launch("max", max_kernel<T>, elements_grid(lines), lines, call.size, call.inner,
         static_cast<const T*>(call.x), static_cast<T*>(call.y), call.index);
}

template <class T>
void max_backward_of(const MaxBackwardCall& call) {
  const std::int64_t lines = call.outer * call.inner;
  launch("max", max_backward_kernel<T>, elements_grid(lines * call.size), lines, call.size, call.inner,
         static_cast<const T*>(call.dy), call.index, static_cast<T*>(call.dx));
}

/// Sets parts[block] to the first element of the block that is not in [low, high], or `count`. Nobody adds
/// here: the least of the parts does not depend on their order.
template <class T>
__global__ void find_outside_kernel(std::int64_t count, double low, double high, const T* x,
                                    std::int64_t* parts) {
  std::int64_t found = count;
  for_each_element(count, [&](std::int64_t i) {
    const auto value = static_cast<double>(x[i]);
    if (!(value >= low && value <= high) && i < found) found = i;
  });
  found = warp_reduce(found, [](std::int64_t a, std::int64_t b) { return a < b ? a : b; });
  std::int64_t* of_warps = shared_memory<std::int64_t>();
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = found;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (unsigned warp = 1; warp < blockDim.x / 32; ++warp)
    found = of_warps[warp] < found ? of_warps[warp] : found;
  parts[blockIdx.x] = found;
}

}  // namespace

void sum(const SumCall& call) {
  dispatch_floating(call.dtype, "sum", [&](auto zero) { axes_sum_of<decltype(zero)>(call); });
}
CBNET_BY_DTYPE(max, MaxCall)
CBNET_BY_DTYPE(max_backward, MaxBackwardCall)

void find_outside(const FindOutsideCall& call) {
  *call.found = -1;
  if (call.count == 0) return;
  const Grid grid = elements_grid(call.count);
  const Scratch scratch(grid.blocks.x * sizeof(std::int64_t));
  dispatch(call.dtype, [&](auto zero) {
    using T = decltype(zero);
    launch("find_outside", find_outside_kernel<T>,
           {grid.blocks, grid.threads, kThreads / 32 * sizeof(std::int64_t)}, call.count, call.low, call.high,
           static_cast<const T*>(call.x), scratch.as<std::int64_t>());
  });
  std::vector<std::int64_t> parts(grid.blocks.x);
  kDeviceMemory.copy_out(reinterpret_cast<std::byte*>(parts.data()), scratch.as<std::byte>(),
                         parts.size() * sizeof(std::int64_t));
  std::int64_t first = call.count;
  for (const std::int64_t part : parts) first = part < first ? part : first;
  if (first < call.count) *call.found = first;
}

}  // namespace cbnet::cuda
