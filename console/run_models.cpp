#include "console/run_models.h"

#include <algorithm>
#include <iostream>

namespace cbnet {

void warn_of_unusable(const char* program, const std::string& run,
                      const std::vector<UnusableModel>& unusable) {
  for (const UnusableModel& model : unusable)
    std::cerr << program << ": warning: " << run << ": '" << model.name << "' is left out: " << model.reason
              << '\n';
}

int exit_code_for(const std::vector<UnusableModel>& unusable) {
  const std::vector<std::string> trained = model_names();
  const bool any = std::any_of(unusable.begin(), unusable.end(), [&](const UnusableModel& model) {
    return std::find(trained.begin(), trained.end(), model.name) != trained.end();
  });
  return any ? 2 : 0;
}

Json unusable_json(const std::vector<UnusableModel>& unusable) {
  Json out = Json::array();
  for (const UnusableModel& model : unusable)
    out.push_back({{"model", model.name}, {"reason", model.reason}});
  return out;
}

}  // namespace cbnet
