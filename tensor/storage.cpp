#include "tensor/storage.h"

#include <pthread.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include "tensor/backend.h"

namespace cbnet {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kCacheLimitBytes = std::size_t{512} << 20;

// Sanitizers find more when every block is really freed. GCC says so by macro, Clang by feature.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CBNET_SANITIZED
#endif
#endif
#if defined(CBNET_SANITIZED) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kCacheBlocks = false;
#else
constexpr bool kCacheBlocks = true;
#endif

std::size_t rounded(std::size_t size) {
  return std::max<std::size_t>((size + kAlignment - 1) / kAlignment * kAlignment, kAlignment);
}

class BlockCache {
 public:
  std::byte* take(std::size_t size) {
    {
      const std::lock_guard lock(mutex_);
      live_ += size;
      peak_ = std::max(peak_, live_);
      const auto found = free_.find(size);
      if (found != free_.end() && !found->second.empty()) {
        std::byte* block = found->second.back();
        found->second.pop_back();
        idle_ -= size;
        return block;
      }
    }
    void* block = std::aligned_alloc(kAlignment, size);
    if (block == nullptr) {
      release();  // what lies idle may be what is missing
      block = std::aligned_alloc(kAlignment, size);
    }
    if (block == nullptr) {
      const std::lock_guard lock(mutex_);
      live_ -= size;
      throw std::bad_alloc();
    }
    return static_cast<std::byte*>(block);
  }

  void give(std::byte* block, std::size_t size) noexcept {
    {
      const std::lock_guard lock(mutex_);
      live_ -= size;
      if (kCacheBlocks && idle_ + size <= kCacheLimitBytes) {
        try {
          free_[size].push_back(block);
          idle_ += size;
          return;
        } catch (const std::bad_alloc&) {
          // There is no memory to remember the block with, so it is freed below.
        }
      }
    }
    std::free(block);
  }

  void release() {
    const std::lock_guard lock(mutex_);
    for (auto& [size, blocks] : free_) {
      for (std::byte* block : blocks) std::free(block);
    }
    free_.clear();
    idle_ = 0;
  }

  // A fork copies the lock as it is; held by another thread, it would never be free in the child.
  void before_fork() { mutex_.lock(); }
  void after_fork() { mutex_.unlock(); }

  std::size_t live() const {
    const std::lock_guard lock(mutex_);
    return live_;
  }
  std::size_t peak() const {
    const std::lock_guard lock(mutex_);
    return peak_;
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::size_t, std::vector<std::byte*>> free_;
  std::size_t idle_ = 0;
  std::size_t live_ = 0;
  std::size_t peak_ = 0;
};

// This is never destroyed, for tensors with static lifetime may outlive any order of destruction.
BlockCache& cache() {
  static auto* instance = new BlockCache;
  static const int registered = pthread_atfork(
      [] { instance->before_fork(); }, [] { instance->after_fork(); }, [] { instance->after_fork(); });
  static_cast<void>(registered);
  return *instance;
}

void copy_bytes(std::byte* target, const std::byte* source, std::size_t size_bytes) {
  std::memcpy(target, source, size_bytes);
}

}  // namespace

const DeviceMemory kHostMemory = {
    [](std::size_t size_bytes) { return cache().take(rounded(size_bytes)); },
    [](std::byte* block, std::size_t size_bytes) noexcept { cache().give(block, rounded(size_bytes)); },
    copy_bytes, copy_bytes};

Storage::Storage(std::size_t size_bytes, Device device)
    : size_bytes_(size_bytes),
      device_(device),
      memory_(&backend_of(device).memory),
      data_(memory_->allocate(size_bytes)) {}

Storage::~Storage() { memory_->release(data_, size_bytes_); }

void release_cached_storage() { cache().release(); }
std::size_t storage_live_bytes() { return cache().live(); }
std::size_t storage_peak_bytes() { return cache().peak(); }

}  // namespace cbnet
