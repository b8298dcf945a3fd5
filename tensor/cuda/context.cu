// The process has these once: the stream, the handle of cuBLAS, the memory that is kept, and the seam's
// answers.
#include "tensor/cuda/context.h"

#include <cstring>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include "tensor/cuda/backend.h"
#include "tensor/cuda/functions.h"
#include "tensor/error.h"

namespace cbnet::cuda {

void check(cudaError_t status, const char* op) {
  if (status == cudaSuccess) return;
  throw std::runtime_error(concat("[", op, "] CUDA says: ", cudaGetErrorString(status)));
}

void check(cublasStatus_t status, const char* op) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw std::runtime_error(concat("[", op, "] cuBLAS says: ", cublasGetStatusString(status)));
}

cudaStream_t stream() {
  static const cudaStream_t only = [] {
    cudaStream_t made = nullptr;
    check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "cuda");
    return made;
  }();
  return only;
}

cublasHandle_t blas() {
  // cuBLAS takes memory while a graph is captured unless it has some of its own.
  constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;
  static const cublasHandle_t only = [] {
    cublasHandle_t made = nullptr;
    check(cublasCreate(&made), "cuda");
    check(cublasSetStream(made, stream()), "cuda");
    check(cublasSetWorkspace(made, kDeviceMemory.allocate(kWorkspaceBytes), kWorkspaceBytes), "cuda");
    check(cublasSetMathMode(made, CUBLAS_PEDANTIC_MATH), "cuda");
    return made;
  }();
  return only;
}

namespace {

#ifdef CBNET_CUDA_EMULATION
constexpr std::size_t kAlignment = 1;  // the address sanitizer sees every block end where it ends
constexpr bool kKeepBlocks = false;
#else
constexpr std::size_t kAlignment = 512;
constexpr bool kKeepBlocks = true;
#endif

std::size_t rounded(std::size_t size) {
  return size == 0 ? kAlignment : (size + kAlignment - 1) / kAlignment * kAlignment;
}

/// All work goes through one stream, so that a block that is given back may be written to at once: what still
/// reads it comes before in the stream.
class BlockPool {
 public:
  std::byte* take(std::size_t size) {
    const std::lock_guard lock(mutex_);
    if (const auto found = idle_.find(size); found != idle_.end() && !found->second.empty()) {
      std::byte* block = found->second.back();
      found->second.pop_back();
      return block;
    }
    void* block = nullptr;
    cudaError_t status = cudaMalloc(&block, size);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      free_idle();  // what lies idle may be what is missing
      status = cudaMalloc(&block, size);
    }
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      throw_out_of_memory(size);
    }
    check(status, "cuda");
    return static_cast<std::byte*>(block);
  }

  void give(std::byte* block, std::size_t size) noexcept {
    const std::lock_guard lock(mutex_);
    try {
      if (kKeepBlocks) {
        idle_[size].push_back(block);
        return;
      }
    } catch (const std::bad_alloc&) {
      // The host has no memory to remember the block with.
    }
    cudaFree(block);
  }

  void release() {
    const std::lock_guard lock(mutex_);
    free_idle();
  }

 private:
  void free_idle() {
    for (auto& [size, blocks] : idle_) {
      for (std::byte* block : blocks) cudaFree(block);
    }
    idle_.clear();
  }

  [[noreturn]] static void throw_out_of_memory(std::size_t size) {
    std::size_t free_bytes = 0, total_bytes = 0;
    check(cudaMemGetInfo(&free_bytes, &total_bytes), "cuda");
    throw std::runtime_error(concat("[cuda] out of memory: ", size, " bytes were asked for; ", free_bytes,
                                    " of ", total_bytes, " are free; hint: a smaller batch_size"));
  }

  std::mutex mutex_;
  std::unordered_map<std::size_t, std::vector<std::byte*>> idle_;
};

// Neither is destroyed: tensors with static lifetime may outlive any order of destruction.
BlockPool& pool() {
  static auto* instance = new BlockPool;
  return *instance;
}

/// These are pages that the driver cannot swap out, through which batches reach the device while the host
/// goes on.
class Staging {
 public:
  /// Returns the pages of the copy before last, which has passed when its event has.
  void copy_in(std::byte* target, const std::byte* host, std::size_t size) {
    const std::lock_guard lock(mutex_);
    while (size > 0) {
      Slot& slot = slots_[next_++ % kSlots];
      if (slot.pages == nullptr) {
        void* pages = nullptr;
        check(cudaHostAlloc(&pages, kSlotBytes, 0), "copy_in");
        slot.pages = static_cast<std::byte*>(pages);
        check(cudaEventCreateWithFlags(&slot.passed, cudaEventDisableTiming), "copy_in");
      } else {
        check(cudaEventSynchronize(slot.passed), "copy_in");
      }
      const std::size_t part = size < kSlotBytes ? size : kSlotBytes;
      std::memcpy(slot.pages, host, part);
      check(cudaMemcpyAsync(target, slot.pages, part, cudaMemcpyHostToDevice, stream()), "copy_in");
      check(cudaEventRecord(slot.passed, stream()), "copy_in");
      target += part;
      host += part;
      size -= part;
    }
  }

 private:
  static constexpr std::size_t kSlots = 4, kSlotBytes = std::size_t{4} << 20;
  struct Slot {
    std::byte* pages = nullptr;
    cudaEvent_t passed{};
  };
  std::mutex mutex_;
  Slot slots_[kSlots];
  std::size_t next_ = 0;
};

void copy_in(std::byte* target, const std::byte* host, std::size_t size) {
  static auto* staging = new Staging;
  staging->copy_in(target, host, size);
}

void copy_out(std::byte* host, const std::byte* source, std::size_t size) {
  check(cudaMemcpyAsync(host, source, size, cudaMemcpyDeviceToHost, stream()), "copy_out");
  check(cudaStreamSynchronize(stream()), "copy_out");
}

int device_count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

}  // namespace

const DeviceMemory kDeviceMemory = {
    [](std::size_t size_bytes) { return pool().take(rounded(size_bytes)); },
    [](std::byte* block, std::size_t size_bytes) noexcept { pool().give(block, rounded(size_bytes)); },
    copy_in, copy_out};

void release_cached_memory() { pool().release(); }

void require_available() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) cudaGetLastError();
  require(status == cudaSuccess && count > 0, "cuda", "expected a GPU that the driver can use; found ",
          status == cudaSuccess ? "none" : cudaGetErrorString(status),
          "; hint: nvidia-smi shows what the driver sees; --device cpu needs none");
}

const Backend& backend() {
  static const Backend instance = [] {
    require_available();
    Backend out{Device::cuda,
                kDeviceMemory,
                {
#define BACKEND_FUNCTION(name, Call) {cuda::name, kFloatingDTypes},
#include "tensor/backend.def"
                }};
    out.table.copy.dtypes = out.table.fill.dtypes = out.table.find_outside.dtypes = kAllDTypes;
    return out;
  }();
  return instance;
}

std::vector<std::string> device_descriptions() {
  std::vector<std::string> out;
  for (int device = 0; device < device_count(); ++device) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, device) != cudaSuccess) continue;
    out.push_back(concat(properties.name, ", ", properties.totalGlobalMem >> 30, " GiB, compute capability ",
                         properties.major, ".", properties.minor));
  }
  return out;
}

std::string module_description() {
  int runtime = 0, driver = 0;
  cudaRuntimeGetVersion(&runtime);
  cudaDriverGetVersion(&driver);
  return concat("CUDA ", runtime / 1000, ".", runtime % 1000 / 10, ", driver for ", driver / 1000, ".",
                driver % 1000 / 10);
}

}  // namespace cbnet::cuda
