// Runs the tests of this program on the device that CBNET_TEST_DEVICE names.
#include "tensor/device.h"

#include <cstdlib>

namespace {

const bool chosen = [] {
  if (const char* name = std::getenv("CBNET_TEST_DEVICE"))
    cbnet::set_default_device(cbnet::parse_device(name));
  return true;
}();

}  // namespace
