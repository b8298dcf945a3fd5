#include "cbnet/run_records.h"

#include <sys/resource.h>

#include <algorithm>

#include "models/json.h"
#include "tensor/error.h"
#include "tensor/io.h"

namespace cbnet {
namespace {

const std::vector<std::string> kOrder = {"lenet", "branchynet", "autoencoder"};

/// Paths may be in any encoding; JSON is UTF-8.
std::string text_of(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace); }

std::int64_t peak_memory_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace

RunRecords::RunRecords(const RunFolder& folder, std::string settings,
                       const std::vector<std::string>& identity)
    : folder_(folder), settings_(std::move(settings)) {
  try {
    load(identity);
  } catch (const Json::exception& error) {
    throw InputError(folder_.path().string(), "run.json and log.jsonl as cbnet wrote them", error.what(),
                     "delete them; the models do not depend on them");
  }
}

void RunRecords::load(const std::vector<std::string>& identity) {
  if (std::filesystem::exists(folder_.run_file())) {
    const Json run = parse_json(read_file(folder_.run_file()));
    const Json own = parse_json(settings_);
    for (const std::string& key : identity) {
      if (run.at(key) == own.at(key)) continue;
      throw InputError(folder_.path().string(), concat("a run with ", key, " ", own.at(key).dump()),
                       run.at(key).dump(), "choose another --out");
    }
    for (const auto& [name, record] : run.at("stages").items()) stages_[name] = record.dump();
  }
  for (const std::string& line : folder_.read_log()) {
    log_[parse_json(line).at("stage").get<std::string>()].push_back(line);
  }
}

void RunRecords::set_log(const std::string& stage, std::vector<std::string> lines) {
  log_[stage] = std::move(lines);
  std::vector<std::string> all;
  for (const std::string& name : kOrder) all.insert(all.end(), log_[name].begin(), log_[name].end());
  folder_.write_log(all);
}

void RunRecords::set_stage(const std::string& stage, const std::string& record) {
  stages_[stage] = record;
  Json run = parse_json(settings_);
  run["peak_memory_bytes"] = peak_memory_bytes();
  run["stages"] = Json::object();
  for (const std::string& name : kOrder) {
    const auto found = stages_.find(name);
    if (found != stages_.end()) run["stages"][name] = parse_json(found->second);
  }
  write_file_atomic(folder_.run_file(), text_of(run) + "\n");
}

}  // namespace cbnet
