#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <type_traits>

// This is the one place where a kernel of the module is started. Where nvcc compiles, it goes to the GPU;
// where a C++ compiler does, with the headers of tests/cuda/emulation in the toolkit's place, it runs on the
// host.

namespace cbnet::cuda {

/// Returns the stream that all work of this process goes through, in order.
cudaStream_t stream();

/// Throws std::runtime_error "[op] …" unless the call succeeded.
void check(cudaError_t status, const char* op);

struct Grid {
  dim3 blocks, threads;
  std::size_t shared_bytes = 0;
  unsigned team =
      1;  // blocks along x that are a cluster (sm_90 and up), whose threads meet at team_barrier()
};

#ifdef __CUDACC__
/// Says whether a kernel goes on while the host does.
inline constexpr bool kRunsBesideHost = true;
#else
inline constexpr bool kRunsBesideHost = false;
#endif

/// Starts kernel(arguments…) for every thread of the grid, in `where`; an empty grid starts nothing.
template <class... P>
void launch_in(cudaStream_t where, const char* op, void (*kernel)(P...), const Grid& grid,
               std::type_identity_t<P>... arguments) {
  if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) return;
#ifdef __CUDACC__
  cudaLaunchAttribute cluster{};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = {grid.team, 1, 1};
  cudaLaunchConfig_t config{};
  config.gridDim = grid.blocks;
  config.blockDim = grid.threads;
  config.dynamicSmemBytes = grid.shared_bytes;
  config.stream = where;
  config.attrs = &cluster;
  config.numAttrs = grid.team > 1 ? 1 : 0;
  check(cudaLaunchKernelEx(&config, kernel, arguments...), op);
#else
  static_cast<void>(where);
  emulation::launch(op, kernel, grid.blocks, grid.threads, grid.team, grid.shared_bytes, arguments...);
#endif
}

template <class... P>
void launch(const char* op, void (*kernel)(P...), const Grid& grid, std::type_identity_t<P>... arguments) {
  launch_in(stream(), op, kernel, grid, arguments...);
}

/// Waits for all threads of the team, which then see what each other wrote.
__device__ inline void team_barrier([[maybe_unused]] unsigned team) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  if (team > 1) {
    asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
    return;
  }
#elif !defined(__CUDACC__)
  if (team > 1) return emulation::team_barrier();
#endif
  __syncthreads();
}

/// Returns a block's dynamic shared memory, of Grid::shared_bytes.
template <class T>
__device__ T* shared_memory() {
#ifdef __CUDACC__
  extern __shared__ __align__(16) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
#else
  return reinterpret_cast<T*>(emulation::shared_bytes());
#endif
}

}  // namespace cbnet::cuda
