#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "tensor/device.h"

namespace cbnet {

struct DeviceMemory;

/// A storage is a 64-byte aligned block of a device's memory, not initialised, that several tensors may view.
class Storage {
 public:
  explicit Storage(std::size_t size_bytes, Device device = Device::cpu);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size_bytes() const { return size_bytes_; }
  Device device() const { return device_; }

  /// Moves whenever somebody may have written, so that two equal versions mean equal elements.
  std::uint64_t version() const { return version_.load(std::memory_order_relaxed); }
  void count_write() { version_.fetch_add(1, std::memory_order_relaxed); }

 private:
  std::size_t size_bytes_;
  Device device_;
  const DeviceMemory* memory_;
  std::byte* data_;
  std::atomic<std::uint64_t> version_{0};
};

/// This is the host's memory, which the devices cpu and reference take theirs from.
extern const DeviceMemory kHostMemory;

/// Blocks of it that are freed are kept for the next allocation of the same size: a training step asks for
/// the same large activations again and again, and fresh pages cost more than the arithmetic on them.
/// This hands every idle block back to the system.
void release_cached_storage();

/// Says how many bytes live storages hold now, and the most there have been.
std::size_t storage_live_bytes();
std::size_t storage_peak_bytes();

}  // namespace cbnet
