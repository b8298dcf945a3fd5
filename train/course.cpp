#include "train/course.h"

#include <stdexcept>

#include "models/json.h"

namespace cbnet {
namespace {

constexpr const char* kEarlier = "earlier_epochs";

/// Takes the epochs out of a fingerprint, and returns them.
Course cut_epochs(Json& fingerprint) {
  Course out;
  if (fingerprint.contains("recipe") && fingerprint["recipe"].contains("epochs")) {
    get_whole(fingerprint["recipe"]["epochs"], out.epochs);
    fingerprint["recipe"].erase("epochs");
  }
  if (!fingerprint.contains(kEarlier)) return out;
  for (const Json& entry : fingerprint[kEarlier]) {
    EarlierEpochs& earlier = out.earlier.emplace_back();
    get_whole(entry.at("until"), earlier.until);
    get_whole(entry.at("of"), earlier.of);
  }
  fingerprint.erase(kEarlier);
  return out;
}

}  // namespace

Course course_of(const std::string& fingerprint) {
  Json json = json_or_text(fingerprint);
  if (!json.is_object()) return {fingerprint, "", 0, {}};
  try {
    Course out = cut_epochs(json);
    for (const char* key : kParentKeys) {
      if (!json.contains(key)) continue;
      out.parent = json[key].dump();
      static_cast<void>(cut_epochs(json[key]));
    }
    out.rest = json.dump();
    return out;
  } catch (const Json::exception&) {
    return {fingerprint, "", 0, {}};
  } catch (const std::invalid_argument&) {
    return {fingerprint, "", 0, {}};
  }
}

std::string with_earlier(const std::string& fingerprint, const std::vector<EarlierEpochs>& earlier) {
  if (earlier.empty()) return fingerprint;
  Json json = json_or_text(fingerprint);
  json[kEarlier] = Json::array();
  for (const EarlierEpochs& entry : earlier)
    json[kEarlier].push_back({{"until", entry.until}, {"of", entry.of}});
  return json.dump();
}

}  // namespace cbnet
