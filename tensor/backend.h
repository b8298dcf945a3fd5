#pragma once

#include <cstddef>

#include "tensor/calls.h"
#include "tensor/device.h"
#include "tensor/dtype.h"

// This is the one seam between what ops mean and what computes them. Ops keep shapes and mathematics; every
// loop over elements is a function of the backend of their inputs' device.

namespace cbnet {

/// These give and take a device's memory.
struct DeviceMemory {
  std::byte* (*allocate)(std::size_t size_bytes);  // throws std::bad_alloc
  void (*release)(std::byte* block, std::size_t size_bytes) noexcept;
  /// These copy between the device and the host.
  void (*copy_in)(std::byte* target, const std::byte* host, std::size_t size_bytes);
  void (*copy_out)(std::byte* host, const std::byte* source, std::size_t size_bytes);
};

enum class BackendFunction : std::uint8_t {
#define BACKEND_FUNCTION(name, Call) name,
#include "tensor/backend.def"
};
const char* to_string(BackendFunction function);

/// An entry is a function of a backend and the dtypes that it takes, bit d for DType d. With none, the
/// backend lacks it.
template <class Call>
struct BackendEntry {
  void (*run)(const Call&) = nullptr;
  unsigned dtypes = 0;
};

inline constexpr unsigned kFloatingDTypes = 0b00011;
inline constexpr unsigned kAllDTypes = 0b11111;

/// A backend holds the functions of one device. `backend.gemm(call)` throws std::invalid_argument by name
/// where the backend lacks the function or the dtype; nothing falls back.
class Backend {
 public:
  Device device = Device::cpu;
  DeviceMemory memory{};
  struct Table {
#define BACKEND_FUNCTION(name, Call) BackendEntry<Call> name{};
#include "tensor/backend.def"
  } table;

  bool supports(BackendFunction function, DType dtype) const;

#define BACKEND_FUNCTION(name, Call)                                   \
  void name(const Call& call) const {                                  \
    if ((table.name.dtypes >> static_cast<int>(call.dtype) & 1U) == 0) \
      throw_unsupported(BackendFunction::name, call.dtype);            \
    table.name.run(call);                                              \
  }
#include "tensor/backend.def"

 private:
  [[noreturn]] void throw_unsupported(BackendFunction function, DType dtype) const;
};

/// Returns a device's backend. Throws std::invalid_argument for a device that this build or machine lacks.
const Backend& backend_of(Device device);

namespace cpu {
const Backend& backend();
}
namespace reference {
const Backend& backend();
}

}  // namespace cbnet
