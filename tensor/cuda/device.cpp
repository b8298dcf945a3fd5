#include "tensor/cuda/backend.h"
#include "tensor/error.h"

namespace cbnet {

Device parse_device(const std::string& name) {
  if (name == "cpu") return Device::cpu;
  require(name == "cuda", "device", "expected cpu or cuda; got '", name, "'");
  cuda::require_available();
  return Device::cuda;
}

}  // namespace cbnet
