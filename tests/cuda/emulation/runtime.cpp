// The calls of CUDA's runtime and of cuBLAS that the module makes, on the host's memory and at once.
#include <cstdlib>
#include <map>
#include <memory>
#include <vector>

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include "tensor/reference/functions.h"

struct CbnetStream {};
struct CbnetEvent {};
struct CbnetGraph {
  std::vector<std::function<void()>> work;
};

namespace cbnet::emulation {
namespace {

std::size_t memory_limit = std::size_t{8} << 30, memory_taken = 0;
std::size_t orders = 0;
CbnetGraph* captured = nullptr;

std::map<void*, std::size_t>& blocks() {
  static std::map<void*, std::size_t> live;
  return live;
}

}  // namespace

void set_memory_limit(std::size_t size_bytes) { memory_limit = size_bytes; }

std::size_t orders_given() { return orders; }

void enqueue(std::function<void()> work) {
  ++orders;
  if (captured != nullptr) {
    captured->work.push_back(std::move(work));
  } else {
    work();
  }
}

}  // namespace cbnet::emulation

using namespace cbnet::emulation;  // NOLINT

const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? "out of memory"
         : error == cudaSuccess             ? "no error"
                                            : "invalid value";
}
cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {
      "an emulated GPU", memory_limit, std::size_t{227} << 10, std::size_t{228} << 10, 9, 0, 4, 1 << 20};
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { return cudaRuntimeGetVersion(version); }
cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes) {
  *free_bytes = memory_taken < memory_limit ? memory_limit - memory_taken : 0;
  *total_bytes = memory_limit;
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** block, std::size_t size_bytes) {
  if (memory_taken + size_bytes > memory_limit) return cudaErrorMemoryAllocation;
  *block = std::malloc(size_bytes);
  std::memset(*block, 0xFF, size_bytes);
  blocks()[*block] = size_bytes;
  memory_taken += size_bytes;
  return cudaSuccess;
}
cudaError_t cudaFree(void* block) {
  memory_taken -= blocks()[block];
  blocks().erase(block);
  std::free(block);
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** block, std::size_t size_bytes, unsigned) {
  *block = std::malloc(size_bytes);
  return *block == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaFreeHost(void* block) {
  std::free(block);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* target, const void* source, std::size_t size_bytes, cudaMemcpyKind,
                            cudaStream_t) {
  enqueue([=] {
    if (size_bytes > 0) std::memmove(target, source, size_bytes);
  });
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* target, int byte, std::size_t size_bytes, cudaStream_t) {
  enqueue([=] {
    if (size_bytes > 0) std::memset(target, byte, size_bytes);
  });
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  static CbnetStream only;
  *stream = &only;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  return captured == nullptr ? cudaSuccess : cudaErrorInvalidValue;  // CUDA ends the capture too
}
cudaError_t cudaDeviceSynchronize() { return cudaStreamSynchronize(nullptr); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  static CbnetEvent only;
  *event = &only;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  *milliseconds = 0.0F;  // nothing is timed on an emulated device
  return cudaSuccess;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
  captured = new CbnetGraph;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  *graph = std::exchange(captured, nullptr);
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new CbnetGraph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t) {
  ++orders;
  for (const auto& work : exec->work) work();
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) { return cudaGraphDestroy(exec); }

namespace {

/// The reference backend's product is row-major and dense: c^T = op(b)^T op(a)^T.
template <class T>
cublasStatus_t product(cbnet::DType dtype, bool transpose_a, bool transpose_b, int m, int n, int k,
                       const T* a, const T* b, double beta, T* c, int batch) {
  enqueue([=] {
    cbnet::reference::gemm({.dtype = dtype,
                            .transpose_a = transpose_b,
                            .transpose_b = transpose_a,
                            .batch = batch,
                            .m = n,
                            .n = m,
                            .k = k,
                            .a = b,
                            .b = a,
                            .beta = beta,
                            .c = c});
  });
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t, cublasOperation_t ta, cublasOperation_t tb, int m,
                                         int n, int k, const float*, const float* a, int, long long,
                                         const float* b, int, long long, const float* beta, float* c, int,
                                         long long, int batch) {
  return product(cbnet::DType::f32, ta == CUBLAS_OP_T, tb == CUBLAS_OP_T, m, n, k, a, b, *beta, c, batch);
}
cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t, cublasOperation_t ta, cublasOperation_t tb, int m,
                                         int n, int k, const double*, const double* a, int, long long,
                                         const double* b, int, long long, const double* beta, double* c, int,
                                         long long, int batch) {
  return product(cbnet::DType::f64, ta == CUBLAS_OP_T, tb == CUBLAS_OP_T, m, n, k, a, b, *beta, c, batch);
}
