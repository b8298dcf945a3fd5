#include "tensor/device.h"

#include <atomic>

#include "tensor/cuda/backend.h"
#include "tensor/error.h"

namespace cbnet {
namespace {
std::atomic<Device> default_value{Device::cpu}, compute_value{Device::cpu};
}  // namespace

Device parse_device(const std::string& name) {
  for (const Device device : {Device::cpu, Device::reference}) {
    if (name == to_string(device)) return device;
  }
  require(name == "cuda", "device", "expected cpu, reference or cuda; got '", name, "'");
  cuda::require_available();
  return Device::cuda;
}

Device default_device() { return default_value; }
void set_default_device(Device device) { default_value = device; }
Device compute_device() { return compute_value; }
void set_compute_device(Device device) { compute_value = device; }

}  // namespace cbnet
