#include "cbnet/version.h"

#include <doctest/doctest.h>

#include <regex>
#include <string>

TEST_CASE("the version is a semantic one") {
  CHECK(std::regex_match(std::string(cbnet::kVersion), std::regex("[0-9]+\\.[0-9]+\\.[0-9]+")));
}
