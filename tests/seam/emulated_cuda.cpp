// Stands in for the CUDA module: a device whose memory the host can neither read nor write, since its pages
// are closed except while a function of the backend runs. The arithmetic is the CPU's.
#include "tests/seam/emulated_cuda.h"

#include <sys/mman.h>

#include <map>
#include <mutex>
#include <new>

#include "tensor/cuda/backend.h"

namespace cbnet::seam {
namespace {

std::map<std::byte*, std::size_t>& blocks() {
  static std::map<std::byte*, std::size_t> live;
  return live;
}

std::vector<BackendFunction>& log() {
  static std::vector<BackendFunction> called;
  return called;
}

void protect(int access) {
  for (const auto& [block, size] : blocks()) ::mprotect(block, size, access);
}

/// While one lives, the device's memory is open.
struct Open {
  Open() { protect(PROT_READ | PROT_WRITE); }
  ~Open() { protect(PROT_NONE); }
};

std::size_t pages(std::size_t size_bytes) { return (size_bytes / 4096 + 1) * 4096; }

std::byte* allocate(std::size_t size_bytes) {
  void* block = ::mmap(nullptr, pages(size_bytes), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) throw std::bad_alloc();
  blocks()[static_cast<std::byte*>(block)] = pages(size_bytes);
  return static_cast<std::byte*>(block);
}

void release(std::byte* block, std::size_t size_bytes) noexcept {
  blocks().erase(block);
  ::munmap(block, pages(size_bytes));
}

void copy(std::byte* target, const std::byte* source, std::size_t size_bytes) {
  const Open open;
  for (std::size_t i = 0; i < size_bytes; ++i) target[i] = source[i];
}

Backend make() {
  Backend out;
  out.device = Device::cuda;
  out.memory = {allocate, release, copy, copy};
#define BACKEND_FUNCTION(name, Call)                          \
  out.table.name = {[](const Call& call) {                    \
                      log().push_back(BackendFunction::name); \
                      const Open open;                        \
                      cpu::backend().name(call);              \
                    },                                        \
                    cpu::backend().table.name.dtypes};
#include "tensor/backend.def"
  out.table.gemm.dtypes = 1U << static_cast<int>(DType::f32);
  return out;
}

}  // namespace

std::vector<BackendFunction> take_calls() { return std::exchange(log(), {}); }

}  // namespace cbnet::seam

namespace cbnet::cuda {

void require_available() {}

const Backend& backend() {
  static const Backend instance = seam::make();
  return instance;
}

std::vector<std::string> device_descriptions() { return {"emulated"}; }
std::string module_description() { return "emulated"; }

}  // namespace cbnet::cuda
