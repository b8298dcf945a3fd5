#include "bench/records.h"

#include <doctest/doctest.h>

#include "tensor/error.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::bench;

TEST_CASE("records: figures are of one image, and none is null") {
  const Timing timing{40.0, 36.0, 48.0, 0.99};
  const Json known = timing_json(timing, Floor{20.0, true}, 4);
  CHECK(known == Json{{"us", 10.0},
                      {"low", 9.0},
                      {"high", 12.0},
                      {"busy", 0.99},
                      {"floor_us", 5.0},
                      {"floor_by", "memory"}});
  const Json unknown = timing_json(timing, {}, 1);
  CHECK(unknown.at("floor_us").is_null());
  CHECK(unknown.at("floor_by").is_null());
  CHECK(number_at(known, "us") == 10.0);
  CHECK_FALSE(number_at(unknown, "floor_us").has_value());
}

TEST_CASE("records: what was disturbed has a mark, and the mark an explanation") {
  CHECK(time_cell(timing_json({1.234, 1, 2, 0.95}, {}, 1)) == "1.23");
  const std::string disturbed = time_cell(timing_json({123.4, 1, 200, 0.94}, {}, 1));
  CHECK(disturbed == "123 †");
  CHECK(disturbed_note("1.23").empty());
  CHECK(disturbed_note(disturbed).find("95 %") != std::string::npos);
  CHECK(us_text({}) == "-");
  CHECK(us_text(12.34) == "12.3");
}

TEST_CASE("records: head and schema") {
  const Json record = record_json("cbnet-roofline/1");
  for (const char* key : {"schema", "version", "commit", "host"}) CHECK_MESSAGE(record.contains(key), key);
  CHECK(record.at("host").at("threads") > 0);
  check_schema(record, "cbnet-roofline/1");
  CHECK_THROWS_SAYING(check_schema(record, "cbnet-growth/1"), InputError,
                      "cbnet-growth/1; found \"cbnet-roofline/1\"");
  CHECK_THROWS_SAYING(check_schema(Json::array(), "cbnet-growth/1"), InputError, "found null");
}
