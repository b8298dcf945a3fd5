#include "cbnet/run_records.h"

#include <sys/resource.h>

#include <algorithm>

#include "models/json.h"
#include "tensor/error.h"
#include "tensor/io.h"

namespace cbnet {
namespace {

/// Stages in the order in which they build on one another: networks, LeNet first, then what is made of them.
int rank(const std::string& stage) {
  if (stage == "lenet") return 0;
  return stage == "classifier" ? 2 : stage == "autoencoder" ? 3 : 1;
}

template <class Value>
std::vector<std::string> in_order(const std::map<std::string, Value>& by_stage) {
  std::vector<std::string> out;
  for (const auto& entry : by_stage) out.push_back(entry.first);
  std::stable_sort(out.begin(), out.end(),
                   [](const std::string& a, const std::string& b) { return rank(a) < rank(b); });
  return out;
}

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
  for (const std::string& name : in_order(log_)) all.insert(all.end(), log_[name].begin(), log_[name].end());
  folder_.write_log(all);
}

void RunRecords::set_stage(const std::string& stage, const std::string& record) {
  stages_[stage] = record;
  Json run = parse_json(settings_);
  run["peak_memory_bytes"] = peak_memory_bytes();
  run["stages"] = Json::object();
  for (const std::string& name : in_order(stages_)) run["stages"][name] = parse_json(stages_.at(name));
  write_file_atomic(folder_.run_file(), text_of(run) + "\n");
}

}  // namespace cbnet
