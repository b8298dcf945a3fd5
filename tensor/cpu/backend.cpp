#include "tensor/backend.h"

#include "tensor/cpu/functions.h"
#include "tensor/storage.h"

namespace cbnet::cpu {
namespace {

Backend make() {
  Backend backend;
  backend.device = Device::cpu;
  backend.memory = kHostMemory;
#define BACKEND_FUNCTION(name, Call) backend.table.name = {name, kFloatingDTypes};
#include "tensor/backend.def"
  backend.table.copy.dtypes = backend.table.fill.dtypes = backend.table.find_outside.dtypes = kAllDTypes;
  return backend;
}

}  // namespace

const Backend& backend() {
  static const Backend instance = make();
  return instance;
}

}  // namespace cbnet::cpu
