#pragma once

#include <cublas_v2.h>

#include <cstddef>
#include <string>

#include "tensor/backend.h"
#include "tensor/cuda/launch.h"

namespace cbnet::cuda {

/// Returns the process's handle of cuBLAS, whose work goes through stream().
cublasHandle_t blas();
void check(cublasStatus_t status, const char* op);

/// This device memory is kept when it is given back, for the next request of its size.
extern const DeviceMemory kDeviceMemory;
/// Hands every idle block back to the driver.
void release_cached_memory();

/// This is memory of the device for the duration of one function of the backend.
class Scratch {
 public:
  explicit Scratch(std::size_t size_bytes)
      : size_bytes_(size_bytes), data_(kDeviceMemory.allocate(size_bytes)) {}
  ~Scratch() { kDeviceMemory.release(data_, size_bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  std::size_t size_bytes_;
  std::byte* data_;
};

}  // namespace cbnet::cuda
