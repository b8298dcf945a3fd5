#include "train/provenance.h"

#include "models/json.h"
#include "tensor/cpu/isa.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/version.h"
#include "train/course.h"

namespace cbnet {
Difference first_difference(const std::string& expected, const std::string& found) {
  const Json a = json_or_text(expected);
  const Json b = json_or_text(found);
  if (!a.is_object() || !b.is_object()) return {expected, found};
  const Json wanted = a.flatten();
  const Json present = b.flatten();
  const auto side = [](const Json& json, const std::string& key) {
    return concat(key.substr(1), " ", json.contains(key) ? json[key].dump() : "not given");
  };
  for (const Json* keys : {&wanted, &present}) {
    for (const auto& item : keys->items()) {
      const std::string& key = item.key();
      if (!wanted.contains(key) || !present.contains(key) || wanted[key] != present[key])
        return {side(wanted, key), side(present, key)};
    }
  }
  return {expected, found};
}

std::string make_provenance(const std::string& fingerprint) {
  return Json{{"version", kVersion},
              {"fingerprint", fingerprint},
              {"threads", num_threads()},
              {"isa", to_string(active_isa())}}
      .dump();
}

std::string fingerprint_of(const ModelInfo& info, const std::string& source) {
  if (info.provenance.empty()) return "";
  try {
    return parse_json(info.provenance).value("fingerprint", "");
  } catch (const Json::exception& error) {
    throw InputError(source, "the JSON of its provenance", error.what());
  }
}

std::string parent_fingerprint(const std::string& fingerprint) { return course_of(fingerprint).parent; }

}  // namespace cbnet
