#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/timing.h"
#include "data/dataset.h"
#include "models/json.h"

// This bench times a run's models on a GPU: one image by three ways of launching, batches with both copies
// and without.

namespace cbnet::bench {

struct GpuOptions {
  std::string run;
  std::vector<std::string> models;  // empty: all that the device's kernel computes
  std::vector<std::int64_t> batches = {64, 512, 4096};
  TimingOptions timing;
};

/// Makes a record "cbnet-gpu/1". Every model is checked on `images`, u8 (N,C,H,W), against the CPU's plan
/// before it is timed; throws std::runtime_error where they disagree, and std::invalid_argument without CUDA.
Json measure_gpu(const GpuOptions& options, const Tensor& images);

/// Makes a table for people.
std::string gpu_text(const Json& report);

/// Runs `cbnet_bench gpu`, with the words after the command. Returns the exit code; errors are thrown.
int run_gpu(const std::vector<std::string>& words);

}  // namespace cbnet::bench
