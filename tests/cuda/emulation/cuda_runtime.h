#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>
#include <utility>

// Stands where the CUDA toolkit's header of this name would, so that the files of tensor/cuda compile as C++
// and run on any machine: a thread of a block is a fiber (scheduler.cpp), and the calls of the runtime that
// the module makes are plain functions on the host's memory (runtime.cpp). Nothing here is needed by the
// product.

#define CBNET_CUDA_EMULATION 1
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
// Blocks run one after another, so that the arrays of one are those of all.
#define __shared__ static

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_size = 1, unsigned y_size = 1, unsigned z_size = 1)
      : x(x_size), y(y_size), z(z_size) {}
};
struct uint3 {
  unsigned x = 0, y = 0, z = 0;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

namespace cbnet::emulation {

/// The order in which the threads of a block take their turns between barriers.
enum class Order { forwards, backwards, shuffled };
void set_order(Order order, std::uint64_t seed = 0);

/// Runs `body` once for every thread of every block. Throws std::logic_error that names the kernel where the
/// threads of a block or warp disagree about a barrier, and what a thread throws. `team_size` blocks along x
/// are a cluster, whose blocks run at a time.
void run_grid(const char* name, dim3 grid, dim3 block, unsigned team_size, std::size_t shared_bytes,
              const std::function<void()>& body);
/// The block's dynamic shared memory; a pattern of bytes until somebody writes there.
std::byte* shared_bytes();

void block_barrier();
void team_barrier();
/// Waits for the lanes of `mask`; returns the words that all 32 lanes of the warp gave.
const std::uint64_t* warp_exchange(unsigned mask, std::uint64_t word);
unsigned lane();

template <class T>
std::uint64_t to_word(T value) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t word = 0;
  std::memcpy(&word, &value, sizeof(T));
  return word;
}
template <class T>
T from_word(std::uint64_t word) {
  T value;
  std::memcpy(&value, &word, sizeof(T));
  return value;
}

}  // namespace cbnet::emulation

extern uint3 threadIdx, blockIdx;  // NOLINT: the toolkit's names
extern dim3 blockDim, gridDim;

inline void __syncthreads() { cbnet::emulation::block_barrier(); }
inline void __syncwarp(unsigned mask = 0xFFFFFFFFU) { cbnet::emulation::warp_exchange(mask, 0); }
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  const std::uint64_t* words = cbnet::emulation::warp_exchange(mask, predicate != 0);
  unsigned out = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1U) != 0 && words[lane] != 0) out |= 1U << lane;
  }
  return out;
}
template <class T>
T __shfl_sync(unsigned mask, T value, int lane) {
  return cbnet::emulation::from_word<T>(
      cbnet::emulation::warp_exchange(mask, cbnet::emulation::to_word(value))[lane & 31]);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits) {
  const int lane = static_cast<int>(cbnet::emulation::lane());
  return __shfl_sync(mask, value, lane ^ bits);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by) {
  const unsigned lane = cbnet::emulation::lane();
  return __shfl_sync(mask, value, static_cast<int>(lane + by < 32 ? lane + by : lane));
}
inline void __threadfence() {}
inline void __threadfence_system() {}
inline void __threadfence_block() {}
template <class T>
T __ldg(const T* address) {
  return *address;
}
template <class T>
T __ldcv(const T* address) {
  return *address;
}
inline unsigned __float_as_uint(float value) {
  return static_cast<unsigned>(cbnet::emulation::to_word(value));
}
template <class T>
T atomicMin(T* address, T value) {
  const T old = *address;
  if (value < old) *address = value;
  return old;
}
template <class T>
T atomicAdd(T* address, T value) {
  const T old = *address;
  *address = old + value;
  return old;
}

// The runtime's calls, as far as the module makes them.
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidValue = 1,
  cudaErrorNoDevice = 100
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
enum cudaStreamCaptureMode {
  cudaStreamCaptureModeGlobal,
  cudaStreamCaptureModeThreadLocal,
  cudaStreamCaptureModeRelaxed
};
constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2, cudaHostAllocMapped = 2;
using cudaStream_t = struct CbnetStream*;
using cudaEvent_t = struct CbnetEvent*;
using cudaGraph_t = struct CbnetGraph*;
using cudaGraphExec_t = struct CbnetGraph*;
struct cudaDeviceProp {
  char name[256];
  std::size_t totalGlobalMem, sharedMemPerBlockOptin, sharedMemPerMultiprocessor;
  int major, minor, multiProcessorCount, l2CacheSize;
};

const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes);
cudaError_t cudaMalloc(void** block, std::size_t size_bytes);
cudaError_t cudaFree(void* block);
cudaError_t cudaHostAlloc(void** block, std::size_t size_bytes, unsigned flags);
cudaError_t cudaFreeHost(void* block);
cudaError_t cudaMemcpyAsync(void* target, const void* source, std::size_t size_bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* target, int byte, std::size_t size_bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end);
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
template <class... P>
cudaError_t cudaFuncSetAttribute(void (*)(P...), cudaFuncAttribute, int) {
  return cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);

namespace cbnet::emulation {

/// Runs `work` now, or notes it where the stream is being captured.
void enqueue(std::function<void()> work);

/// The seam of tensor/cuda/launch.h.
template <class... P>
void launch(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, unsigned team_size,
            std::size_t shared, std::type_identity_t<P>... arguments) {
  enqueue([=] { run_grid(name, grid, block, team_size, shared, [=] { kernel(arguments...); }); });
}

/// How often the stream was told to do something: kernels, copies and graphs, each graph once.
std::size_t orders_given();

/// What cudaMalloc counts as the device's memory; for tests of running out of it.
void set_memory_limit(std::size_t size_bytes);

}  // namespace cbnet::emulation
