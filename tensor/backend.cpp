#include "tensor/backend.h"

#include "tensor/cpu/functions.h"
#include "tensor/cuda/backend.h"
#include "tensor/error.h"
#include "tensor/reference/functions.h"
#include "tensor/storage.h"

namespace cbnet {

const char* to_string(BackendFunction function) {
  constexpr const char* kNames[] = {
#define BACKEND_FUNCTION(name, Call) #name,
#include "tensor/backend.def"
  };
  return kNames[static_cast<int>(function)];
}

namespace {

struct PointwiseLine {
  const char* name;
  bool unary;
};
constexpr PointwiseLine kPointwise[] = {
#define UNARY(name, ...) {#name, true},
#define UNARY_PARAMETER(name, ...) {#name, true},
#define BINARY(name, ...) {#name, false},
#include "tensor/pointwise.def"
};

}  // namespace

const char* to_string(Pointwise function) { return kPointwise[static_cast<int>(function)].name; }

bool is_unary(Pointwise function) { return kPointwise[static_cast<int>(function)].unary; }

std::optional<Pointwise> parse_pointwise(const std::string& name) {
  for (std::size_t i = 0; i < std::size(kPointwise); ++i) {
    if (name == kPointwise[i].name) return static_cast<Pointwise>(i);
  }
  return std::nullopt;
}

bool Backend::supports(BackendFunction function, DType dtype) const {
  const unsigned dtypes[] = {
#define BACKEND_FUNCTION(name, Call) table.name.dtypes,
#include "tensor/backend.def"
  };
  return (dtypes[static_cast<int>(function)] >> static_cast<int>(dtype) & 1U) != 0;
}

void Backend::throw_unsupported(BackendFunction function, DType dtype) const {
  throw std::invalid_argument(concat("[", to_string(function), "] the device ", to_string(device),
                                     " does not compute this for ", to_string(dtype)));
}

namespace {

/// The memory is the host's; each function takes f32 and f64, and some every dtype.
Backend on_host(Device device, const Backend::Table& table) {
  Backend out{device, kHostMemory, table};
  out.table.copy.dtypes = out.table.fill.dtypes = out.table.find_outside.dtypes = kAllDTypes;
  return out;
}

}  // namespace

const Backend& cpu::backend() {
  static const Backend instance = on_host(Device::cpu, {
#define BACKEND_FUNCTION(name, Call) {cpu::name, kFloatingDTypes},
#include "tensor/backend.def"
                                                       });
  return instance;
}

const Backend& reference::backend() {
  static const Backend instance = on_host(Device::reference, {
#define BACKEND_FUNCTION(name, Call) {reference::name, kFloatingDTypes},
#include "tensor/backend.def"
                                                             });
  return instance;
}

const Backend& backend_of(Device device) {
  switch (device) {
    case Device::cpu:
      return cpu::backend();
    case Device::reference:
      return reference::backend();
    case Device::cuda:
      break;
  }
  return cuda::backend();
}

}  // namespace cbnet
