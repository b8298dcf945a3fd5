#include "energy/text.h"

#include <doctest/doctest.h>

#include <thread>

#include "energy/clock.h"
#include "energy/kind.h"
#include "tests/energy/support.h"

using namespace cbnet::energy;

TEST_CASE("faults have one form") {
  CHECK(fault("watts", "volts", "look") == "[energy] expected watts; got volts; hint: look");
}

TEST_CASE("trim drops the NUL of device-tree strings") {
  using namespace std::string_view_literals;
  CHECK(trim(" a b\n\0"sv) == "a b");
  CHECK(trim(" \0\t"sv).empty());
}

TEST_CASE("numbers are whole texts or nothing") {
  CHECK(parse_number("78.66") == 78.66);
  CHECK_FALSE(parse_number("78.66 W"));
  CHECK_FALSE(parse_number(""));
  CHECK_FALSE(parse_number("W"));
  CHECK(format_number(0.75) == "0.75");
  CHECK(format_number(18) == "18");
}

TEST_CASE("fixed format rounds as Python's round()") {
  CHECK(format_fixed(0.25, 1) == "0.2");  // a tie goes to even
  CHECK(format_fixed(0.35, 1) == "0.3");  // the double is below 0.35
  CHECK(format_fixed(57.894736842105260, 1) == "57.9");
}

TEST_CASE("remarks are joined") {
  std::string remarks;
  append_remark(remarks, "");
  append_remark(remarks, "a");
  append_remark(remarks, "b");
  CHECK(remarks == "a; b");
}

TEST_CASE("every kind says measured or modelled") {
  CHECK(to_string(Kind::measured) == "measured");
  CHECK(to_string(Kind::counter) == "measured (counter)");
  CHECK(to_string(Kind::modelled) == "modelled");
}

TEST_CASE("the clock is steady_clock and does not run back") {
  const auto before = std::chrono::steady_clock::now().time_since_epoch();
  const std::int64_t now_ns = monotonic_ns();
  const auto after = std::chrono::steady_clock::now().time_since_epoch();
  CHECK(now_ns >= std::chrono::nanoseconds(before).count());
  CHECK(now_ns <= std::chrono::nanoseconds(after).count());
}
