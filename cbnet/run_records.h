#pragma once

#include <map>
#include <string>
#include <vector>

#include "cbnet/run_folder.h"

namespace cbnet {

/// Training writes this about itself: run.json (settings and the result of every stage) and log.jsonl (a line
/// an epoch). Stages trained by different commands into one folder are kept side by side.
class RunRecords {
 public:
  /// `settings`: JSON text of an object, what every stage in the folder shares, such as seed and dataset.
  /// `identity`: those of its keys that may not differ from what the folder holds.
  /// Throws InputError for records that cannot be read, or that are of another training.
  RunRecords(const RunFolder& folder, std::string settings, const std::vector<std::string>& identity);

  /// Writes the lines of log.jsonl of one stage, replacing those it had; written at once.
  void set_log(const std::string& stage, std::vector<std::string> lines);
  /// Writes the record of a finished stage, as JSON text; written at once.
  void set_stage(const std::string& stage, const std::string& record);

 private:
  void load(const std::vector<std::string>& identity);

  const RunFolder& folder_;
  std::string settings_;
  std::map<std::string, std::vector<std::string>> log_;
  std::map<std::string, std::string> stages_;
};

}  // namespace cbnet
