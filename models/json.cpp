#include "models/json.h"

#include <limits>

#include "tensor/error.h"

namespace cbnet {

Json parse_json(const std::string& text, const std::string& source) {
  constexpr int kMostLevels = 64;
  constexpr int kMostKeys = 20'000;
  constexpr int kMostValues = 250'000;
  int keys = 0, values = 0;
  return Json::parse(text, [&](int depth, Json::parse_event_t event, const Json&) {
    using Event = Json::parse_event_t;
    keys += event == Event::key ? 1 : 0;
    values += event == Event::value || event == Event::array_start || event == Event::object_start ? 1 : 0;
    if (depth > kMostLevels || keys > kMostKeys || values > kMostValues) {
      throw InputError(source,
                       concat("JSON of at most ", kMostLevels, " levels, ", kMostKeys, " keys and ",
                              kMostValues, " values"),
                       "more");
    }
    return true;
  });
}

Json json_or_text(const std::string& text) {
  try {
    return parse_json(text);
  } catch (const Json::exception&) {
    return text;
  }
}

void get_whole(const Json& json, std::int64_t& out) {
  const bool fits =
      json.is_number_integer() &&
      (!json.is_number_unsigned() || json.get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max());
  require(fits, "json", "expected a whole number below 2^63; got ", json.dump().substr(0, 40));
  json.get_to(out);
}

void get_whole(const Json& json, std::vector<std::int64_t>& out) {
  require(json.is_array(), "json", "expected a list of whole numbers; got ", json.dump().substr(0, 40));
  out.clear();
  for (const Json& element : json) get_whole(element, out.emplace_back());
}

}  // namespace cbnet
