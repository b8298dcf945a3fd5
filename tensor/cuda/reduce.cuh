#pragma once

#include "tensor/cuda/context.h"
#include "tensor/cuda/elements.cuh"

// Sums over many elements are made in f64 and in an order that depends on their number alone: a block sums
// its part, and a last block the parts.

namespace cbnet::cuda {

/// Sets parts[block] to the sum of value(i) over the elements of the block.
template <class Value>
__global__ void sum_parts_kernel(std::int64_t count, Value value, double* parts) {
  double sum = 0.0;
  for_each_element(count, [&](std::int64_t i) { sum += value(i); });
  sum = block_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

/// Sets *y = factor * the sum of the parts.
template <class T>
__global__ void sum_of_parts_kernel(std::int64_t count, const double* parts, double factor, T* y) {
  double sum = 0.0;
  for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) sum += parts[i];
  sum = block_sum(sum, shared_memory<double>());
  if (threadIdx.x == 0) *y = static_cast<T>(factor * sum);
}

/// Sets *y = factor * the sum of value(i), 0 <= i < count; `value` is a struct with a __device__ operator().
template <class T, class Value>
void sum_of(const char* op, std::int64_t count, Value value, double factor, T* y) {
  constexpr std::int64_t kElementsOfPart = 4096, kMaxParts = 1024;
  constexpr std::size_t kShared = kThreads * sizeof(double);
  const std::int64_t needed = (count + kElementsOfPart - 1) / kElementsOfPart;
  const std::int64_t parts = needed < 1 ? 1 : needed < kMaxParts ? needed : kMaxParts;
  const Scratch scratch(static_cast<std::size_t>(parts) * sizeof(double));
  launch(op, sum_parts_kernel<Value>, {dim3(static_cast<unsigned>(parts)), dim3(kThreads), kShared}, count,
         value, scratch.as<double>());
  launch(op, sum_of_parts_kernel<T>, {dim3(1), dim3(kThreads), kShared}, parts, scratch.as<double>(), factor,
         y);
}

}  // namespace cbnet::cuda
