#include "tensor/version.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <string>

TEST_CASE("the version is a semantic one") {
  int major = -1;
  int minor = -1;
  int patch = -1;
  REQUIRE(std::sscanf(cbnet::kVersion, "%d.%d.%d", &major, &minor, &patch) == 3);
  CHECK(std::string(cbnet::kVersion) ==
        std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch));
  CHECK(major >= 0);
  CHECK(minor >= 0);
  CHECK(patch >= 0);
}
