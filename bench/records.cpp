#include "bench/records.h"

#include "bench/report_json.h"
#include "console/output.h"
#include "tensor/error.h"
#include "tensor/version.h"

namespace cbnet::bench {

Json record_json(const std::string& schema) {
  const std::string commit = build_commit();
  return {{"schema", schema},
          {"version", kVersion},
          {"commit", commit.empty() ? Json() : Json(commit)},
          {"host", host_json(record_host())}};
}

Json timing_json(const Timing& timing, const std::optional<Floor>& floor, std::int64_t images) {
  const auto n = static_cast<double>(images);
  return {{"us", timing.us / n},
          {"low", timing.low / n},
          {"high", timing.high / n},
          {"busy", timing.busy},
          {"floor_us", floor ? Json(floor->us / n) : Json()},
          {"floor_by", floor ? Json(floor->memory_bound ? "memory" : "arithmetic") : Json()}};
}

std::string us_text(std::optional<double> us) {
  if (!us) return "-";
  return fixed(us, *us < 10 ? 2 : *us < 100 ? 1 : 0);
}

void check_schema(const Json& record, const std::string& schema) {
  const Json found = record.is_object() ? record.value("schema", Json()) : Json();
  if (found != schema)
    throw InputError("JSON of a measurement", "a record of schema " + schema, found.dump());
}

void declare_timing(CommandLine& line) {
  const TimingOptions usual;
  line.add("Measurement", "repeats", "N", concat("blocks of each point (default: ", usual.rounds, ")"));
  line.add("Measurement", "block-s", "S", concat("seconds of a block (default: ", usual.block_s, ")"));
}

void read_timing(const CommandLine& line, TimingOptions& options) {
  if (line.has("repeats")) options.rounds = static_cast<int>(line.integer("repeats", 1, 1'000));
  if (line.has("block-s")) options.block_s = line.number("block-s");
  if (!(options.block_s > 0 && options.block_s <= 60))
    line.fail(concat("--block-s must be above 0 and at most 60; got ", options.block_s));
}

void show_progress(ProgressBar& bar, TimingOptions& options) {
  options.progress = [&bar](const std::string& task, int done, int all) {
    bar.update("timing " + task, static_cast<double>(done) / all, "", false);
  };
}

std::string time_cell(const Json& entry) {
  return concat(us_text(number_at(entry, "us")), entry.at("busy") < kMinBusy ? " †" : "");
}

std::string disturbed_note(const std::string& text) {
  if (text.find("†") == std::string::npos) return "";
  return concat("\n† The main thread had its core for less than ", fixed(100 * kMinBusy, 0),
                " % of a block, however often it was measured; with one thread\nCPU time stands for time.\n");
}

std::optional<double> number_at(const Json& object, const char* key) {
  const Json& value = object.at(key);
  return value.is_null() ? std::nullopt : std::optional<double>(value.get<double>());
}

}  // namespace cbnet::bench
