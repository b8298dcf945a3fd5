// Stands in for the CUDA backend module in a build without it.
#include "tensor/cuda/backend.h"
#include "tensor/error.h"

namespace cbnet::cuda {

void require_available() {
  require(
      false, "cuda",
      "this build has no CUDA module; hint: the module is built with `cmake --preset cuda` (nvcc 13) from a "
      "version that ships tensor/cuda/*.cu, which ",
      CBNET_VERSION, " does not yet; use --device cpu");
}

const Backend& backend() {
  require_available();
  throw std::logic_error("require_available() returned");
}

std::vector<std::string> device_descriptions() { return {}; }

std::string module_description() { return "not built in"; }

}  // namespace cbnet::cuda
