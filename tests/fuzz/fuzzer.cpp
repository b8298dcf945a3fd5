// libFuzzer's entry, compiled once per target.

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const cbnet::testing::FuzzTarget& target = cbnet::testing::fuzz_target(CBNET_FUZZ_TARGET);
  target.run(std::string(reinterpret_cast<const char*>(bytes), size));
  return 0;
}
