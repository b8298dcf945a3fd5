#pragma once

#include <optional>
#include <string>

#include "bench/floor.h"
#include "bench/timing.h"
#include "console/options.h"
#include "console/progress.h"

// The JSON records of the benches share this, and how their figures are written for people.

namespace cbnet::bench {

/// Makes schema, version, commit and host, with the threads that are set now.
Json record_json(const std::string& schema);

/// Makes us, low, high, busy, floor_us and floor_by of one image, where a call has `images`.
Json timing_json(const Timing& timing, const std::optional<Floor>& floor, std::int64_t images);

/// Writes three digits that count; "-" for none.
std::string us_text(std::optional<double> us);

/// Reads a number of a record; none for null.
std::optional<double> number_at(const Json& object, const char* key);

/// Writes the µs of an entry that timing_json made; with a † where the thread did not have its core.
std::string time_cell(const Json& entry);
/// Says what the † means, where there is one in `text`.
std::string disturbed_note(const std::string& text);

/// Throws InputError for JSON of another schema, and for what is no object.
void check_schema(const Json& record, const std::string& schema);

/// Adds --repeats and --block-s, where they are given.
void declare_timing(CommandLine& line);
void read_timing(const CommandLine& line, TimingOptions& options);
/// Shows a line or a bar for every block; `bar` must outlive it.
void show_progress(ProgressBar& bar, TimingOptions& options);

}  // namespace cbnet::bench
