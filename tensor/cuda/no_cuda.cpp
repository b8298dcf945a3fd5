// Stands in for the CUDA backend module in a build without it.
#include "tensor/cuda/backend.h"
#include "tensor/error.h"

namespace cbnet::cuda {

void require_available() {
  require(false, "cuda",
          "this build has no CUDA module; hint: configure with `cmake --preset cuda` (-DCBNET_CUDA=ON, needs "
          "nvcc 13), or use --device cpu");
}

std::vector<std::string> device_descriptions() { return {}; }

std::string module_description() { return "not built in"; }

}  // namespace cbnet::cuda
