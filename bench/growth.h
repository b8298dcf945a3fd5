#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/floor.h"
#include "bench/timing.h"

// This bench shows how time per image grows: with the batch, the threads, the width of the network and the
// side of the images.

namespace cbnet::bench {

struct GrowthPoint {
  std::string axis;  // "batch", "width" or "side": which of them this point is one of a series of
  std::string model;
  std::int64_t width = 1, side = 28, batch = 1;
  int threads = 1;
};

struct GrowthOptions {
  /// Each axis is powers of two times its start, up to here.
  std::int64_t max_batch = 4096, max_width = 8, max_side = 224;
  std::vector<int> threads = {1, 2};
  TimingOptions timing;
  std::uint64_t seed = 1;
};

/// Measures LeNet, the early branch and the autoencoder against batch (each thread count) and against width
/// (batch 1, one thread); LeNet and the branch against image side (likewise).
std::vector<GrowthPoint> growth_points(const GrowthOptions& options);

/// Returns the floor of one call: multiply-adds at the peak, or weights at the bandwidth of their size over
/// the batch, the cores sharing both.
std::optional<Floor> growth_floor(double macs, double weight_bytes, std::int64_t batch, int threads,
                                  const MachineLimits& limits);

/// Makes a record "cbnet-growth/1", with random weights. Every plan is checked against its modules before it
/// is timed, at every batch and thread count; throws as check_plan. Leaves the thread count as it was.
Json measure_growth(const GrowthOptions& options);

/// This is a line of the plot: the points of one axis, model and thread count, in their order.
struct GrowthSeries {
  std::string axis, model;
  int threads = 1;
  std::vector<Json> points;
};
/// Throws InputError for JSON that is no record of growth.
std::vector<GrowthSeries> growth_series(const Json& report);

/// Makes tables for people. Throws as growth_series.
std::string growth_text(const Json& report);

/// Runs `cbnet_bench growth`, with the words after the command. Returns the exit code; errors are thrown.
int run_growth(const std::vector<std::string>& words);

}  // namespace cbnet::bench
