#include "tensor/cuda/backend.h"

#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("the CPU is always there, another name is refused") {
  CHECK(parse_device("cpu") == Device::cpu);
  CHECK_THROWS_SAYING(parse_device("gpu"), std::invalid_argument, "[device] expected cpu or cuda; got 'gpu'");
}

TEST_CASE("without a usable GPU, cuda throws and says what to do; it never falls back") {
  if (!cuda::device_descriptions().empty()) return;
  CHECK_THROWS_SAYING(parse_device("cuda"), std::invalid_argument, "hint:");
  CHECK_FALSE(cuda::module_description().empty());
}
