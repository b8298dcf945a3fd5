#include "models/json.h"

#include "tensor/error.h"

namespace cbnet {

Json parse_json(const std::string& text, const std::string& source) {
  constexpr int kMostLevels = 64;
  constexpr int kMostKeys = 20'000;
  int keys = 0;
  return Json::parse(text, [&](int depth, Json::parse_event_t event, const Json&) {
    keys += event == Json::parse_event_t::key ? 1 : 0;
    if (depth > kMostLevels || keys > kMostKeys) {
      throw InputError(source, concat("JSON of at most ", kMostLevels, " levels and ", kMostKeys, " keys"),
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

}  // namespace cbnet
