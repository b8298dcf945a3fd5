#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "bench/peers/workload.h"
#include "models/json.h"

namespace cbnet::peers {

struct MeasureOptions {
  std::filesystem::path workers;             // the folder of the peer_* programs
  std::string openmp_blas;                   // the folder of OpenBLAS for OpenMP's threads
  std::vector<std::string> models, engines;  // engines: "onednn" or "onednn:blocked"; empty: all
  std::vector<std::string> networks;         // any, as given_model takes them
  std::vector<TrainedRun> runs;              // trained networks and their test images; empty: random ones
  data::Location location;                   // of the datasets
  std::vector<std::int64_t> batches = {1, 64, 1024};
  std::vector<int> threads = {1, 2};
  int rounds = 2, blocks = 3;
  double block_s = 0.1;
  std::uint64_t seed = 1;
  double hard_share = 0.3;
  bool avx2 = false;  // everything capped to AVX2
  std::function<void(const std::string&)> progress;
};

/// Every engine on every model, in turns; the JSON that the report is made from.
/// Throws std::invalid_argument for a filter that names nothing, std::runtime_error where a worker fails or
/// its outputs are not those of the reference.
Json measure(const MeasureOptions& options);

}  // namespace cbnet::peers
