#pragma once

#include <cstdint>

#include "tensor/calls.h"
#include "tensor/cuda/launch.h"
#include "tensor/error.h"

// Kernels that visit elements share this: a thread for each, strides, sums of a block.

namespace cbnet::cuda {

constexpr unsigned kThreads = 256;

/// This is the largest number of blocks that kernels with a loop over the grid are given.
constexpr std::int64_t kMaxBlocks = 4096;

/// Returns a grid with a thread for each of `count` elements, or for several where they are many: the kernel
/// loops by for_each_element.
inline Grid elements_grid(std::int64_t count) {
  const std::int64_t blocks = (count + kThreads - 1) / kThreads;
  return {dim3(static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks)), dim3(kThreads)};
}

/// Calls visit(i) for the elements of this thread.
template <class Visit>
__device__ void for_each_element(std::int64_t count, Visit visit) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) visit(i);
}

/// Returns a / b, by 32 bits where these hold both.
__device__ inline std::int64_t divide(std::int64_t a, std::int64_t b) {
  if (((a | b) >> 32) == 0) return static_cast<std::uint32_t>(a) / static_cast<std::uint32_t>(b);
  return a / b;
}

constexpr int kMaxRank = 8;

/// These are the strides of up to three arrays over one shape, axes that lie behind one another in all of
/// them taken together and those of size 1 left out.
struct Strided {
  int rank = 0;
  std::int64_t size[kMaxRank] = {};
  std::int64_t strides[3][kMaxRank] = {};

  /// Returns where element i of the shape, in row-major order, stands in array `a`.
  struct Offsets {
    std::int64_t at[3];
  };
  __device__ Offsets offsets(std::int64_t i) const {
    Offsets out{{0, 0, 0}};
    for (int axis = rank - 1; axis >= 0; --axis) {
      const std::int64_t rest = axis == 0 ? 0 : divide(i, size[axis]);
      const std::int64_t index = i - rest * size[axis];
      for (int a = 0; a < 3; ++a) out.at[a] += index * strides[a][axis];
      i = rest;
    }
    return out;
  }
};

/// Throws "[op] …" for more than kMaxRank axes that cannot be taken together. Absent arrays have no strides.
Strided strided(const char* op, Sizes shape, Sizes a, Sizes b = {}, Sizes c = {});

inline std::int64_t count_of(Sizes shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

/// Returns the sum of `value` over the threads of the block, in all of them. `shared` holds one T for each
/// thread, whose number is a power of two.
template <class T>
__device__ T block_sum(T value, T* shared) {
  shared[threadIdx.x] = value;
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    __syncthreads();
  }
  const T sum = shared[0];
  __syncthreads();  // the next sum overwrites it
  return sum;
}

/// Returns `value` of the 32 lanes of a warp combined by `join`, in all of them.
template <class T, class Join>
__device__ T warp_reduce(T value, Join join) {
  for (int bits = 16; bits > 0; bits /= 2) value = join(value, __shfl_xor_sync(0xFFFFFFFFU, value, bits));
  return value;
}

}  // namespace cbnet::cuda
