#pragma once

#include <string>
#include <vector>

#include "bench/floor.h"
#include "bench/networks.h"
#include "bench/timing.h"

// This bench shows each step of a model's plan on its own, beside what the machine allows.

namespace cbnet::bench {

/// This is one core's work for a step of `images` images.
Work step_work(const runtime::StepInfo& step, std::int64_t images);

struct RooflineOptions {
  TimingOptions timing;
  std::uint64_t seed = 1;  // of images
};

/// Makes a record "cbnet-roofline/1" of these networks and of these files of `cbnet compile`, on the calling
/// thread. The plan of a network is checked against its modules before it is timed. Throws as check_plan and
/// load_compiled.
Json measure_roofline(const std::vector<BenchNetwork>& networks, const std::vector<std::string>& plans,
                      const RooflineOptions& options);

/// Writes the record for people. Throws InputError for JSON that is not such a record.
std::string roofline_text(const Json& report);

/// Runs `cbnet_bench roofline`, with the words after the command. Returns the exit code; errors are thrown.
int run_roofline(const std::vector<std::string>& words);

}  // namespace cbnet::bench
