#include "tensor/backend.h"

#include "tensor/reference/functions.h"
#include "tensor/storage.h"

namespace cbnet::reference {
namespace {

Backend make() {
  Backend backend;
  backend.device = Device::reference;
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

}  // namespace cbnet::reference
