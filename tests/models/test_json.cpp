#include "models/json.h"

#include "tensor/error.h"
#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("JSON that is too deep or has too many keys is refused before it costs") {
  const auto nested = [](int levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  CHECK_THROWS_SAYING(parse_json(nested(100'000), "deep.json"), InputError,
                      "deep.json: expected JSON of at most 64 levels");
  CHECK_NOTHROW(parse_json(nested(64)));
  const auto object = [](int keys) {
    std::string text = "{\"a\":0";
    for (int i = 1; i < keys; ++i) text += ",\"" + std::to_string(i) + "\":0";
    return text + "}";
  };
  CHECK_THROWS_SAYING(parse_json(object(20'001)), InputError, "20000 keys");
  CHECK(parse_json(object(20'000)).size() == 20'000);
  const auto array = [](int values) {
    std::string text = "[[]";
    for (int i = 2; i < values; ++i) text += ",[]";
    return text + "]";
  };
  CHECK_THROWS_SAYING(parse_json(array(250'001)), InputError, "250000 values");
  CHECK(parse_json(array(250'000)).size() == 249'999);
  CHECK_THROWS_AS(parse_json("{"), Json::exception);
}

TEST_CASE("keys keep their order, and text that is no JSON stays text") {
  CHECK(parse_json(R"({"b":1,"a":2})").dump() == R"({"b":1,"a":2})");
  CHECK(json_or_text(R"({"a":[1,2]})").at("a").size() == 2);
  CHECK(json_or_text("pt{x") == "pt{x");
}

TEST_CASE("whole numbers are whole and fit") {
  std::int64_t number = 0;
  for (const char* text : {"1.5", "1e+50", "2.0", "true", "9223372036854775808", "\"7\"", "null", "[1]"}) {
    CAPTURE(std::string(text));
    CHECK_THROWS_SAYING(get_whole(parse_json(text), number), std::invalid_argument,
                        "expected a whole number below 2^63; got " + std::string(text));
  }
  get_whole(parse_json("-9223372036854775808"), number);
  CHECK(number == INT64_MIN);
  get_whole(parse_json("9223372036854775807"), number);
  CHECK(number == INT64_MAX);
  std::vector<std::int64_t> list = {9};
  get_whole(parse_json("[1,-2]"), list);
  CHECK(list == std::vector<std::int64_t>{1, -2});
  CHECK_THROWS_SAYING(get_whole(parse_json("[1,2.5]"), list), std::invalid_argument, "got 2.5");
  CHECK_THROWS_SAYING(get_whole(parse_json("{\"a\":1}"), list), std::invalid_argument,
                      "expected a list of whole numbers");
}
