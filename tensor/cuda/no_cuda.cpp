// This file stands in for the CUDA backend module in a build without it.
#include "tensor/cuda/backend.h"
#include "tensor/cuda/limits.h"
#include "tensor/cuda/network.h"
#include "tensor/error.h"

namespace cbnet::cuda {

void require_available() {
  require(false, "cuda",
          "this build has no CUDA module; hint: `cmake --preset cuda` builds it, where nvcc 13 is; --device "
          "cpu needs "
          "none");
}

const Backend& backend() {
  require_available();
  throw std::logic_error("require_available() returned");
}

std::vector<std::string> device_descriptions() { return {}; }

std::string module_description() { return "not built in"; }

DeviceLimits measure_device_limits() {
  require_available();
  return {};
}

const char* to_string(NetLaunch) { return ""; }

struct NetEngine::Impl {};
NetEngine::NetEngine(const NetProgram&) { require_available(); }
NetEngine::~NetEngine() = default;
void NetEngine::run_one(const std::uint8_t*, NetLaunch, NetAnswers&) { require_available(); }
void NetEngine::run_many(const std::uint8_t*, std::int64_t, NetAnswers&) { require_available(); }
double NetEngine::kernel_ns(std::int64_t, int) {
  require_available();
  return 0.0;
}
int NetEngine::team() const { return 0; }
std::size_t NetEngine::shared_bytes() const { return 0; }
double NetEngine::resident_fraction() const { return 0.0; }

}  // namespace cbnet::cuda
