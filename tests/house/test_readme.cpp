#include <doctest/doctest.h>

#include <string>

#include "tests/house/house.h"

using namespace cbnet::house;

TEST_CASE("the README shows the example that is compiled and run, word for word") {
  const std::string program = read_text("examples/first_network.cpp");
  REQUIRE_FALSE(program.empty());
  CHECK(read_text("README.md").find(program) != std::string::npos);
}
