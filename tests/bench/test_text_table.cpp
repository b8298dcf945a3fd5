#include <doctest/doctest.h>

#include "bench/text_table.h"

using namespace cbnet::bench;

TEST_CASE("text_table: columns are aligned by characters, not bytes") {
  CHECK(align({{"a", "1 ± 2", "x"}, {"bbb", "10", ""}}) ==
        "a    1 ± 2  x\n"
        "bbb     10\n");
  CHECK(align({}).empty());
}

TEST_CASE("text_table: numbers") {
  CHECK(fixed(12.345678, 2) == "12.35");
  CHECK(fixed(std::nullopt, 2) == "-");
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1140070) == "1,140,070");
  CHECK(grouped(-1000) == "-1,000");
}
