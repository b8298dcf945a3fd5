#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/peers/model.h"
#include "data/locate.h"

// Every engine is timed on the same: a model and images, made once and handed to the workers as files.

namespace cbnet::peers {

struct Workload {
  PeerModel model;
  Tensor pixels;            // f32 (N,C,H,W)
  Tensor expected;          // f64 (N,width): what the network makes of them, computed in f64
  double hard_share = 0.0;  // of images that stay behind a side exit; 0 without one
};

/// Makes random weights and images, none of whose pixels is 0. Throws as make_model.
Workload random_workload(const std::string& name, std::uint64_t seed, double hard_share, std::int64_t n);

/// Takes the network of that name from a run folder, and images of its dataset's test set in their order.
/// With a side exit, any first images hold as many that stay as the whole test set does, as far as whole
/// images go; those within 1e-4 nats of the threshold are passed over, for rounding would decide them. The
/// images for calibration are training images. Throws InputError where run or dataset is not as it should be,
/// and for an autoencoder that does not end in sigmoid, which the peers' graphs do.
Workload trained_workload(const std::string& name, const std::filesystem::path& run,
                          const data::Location& location, std::int64_t n);

/// Takes any network (given_model) and images that are noise.
Workload given_workload(const std::string& given, std::uint64_t seed, std::int64_t n);

/// Returns the dataset that the run's models were trained on, and the names that trained_workload knows of
/// it.
struct TrainedRun {
  std::filesystem::path path;
  std::string dataset;
  std::vector<std::string> models;
};
/// Throws InputError when there is no trained model.
TrainedRun trained_run(const std::filesystem::path& path);

/// Returns the fraction of the multiply-adds whose input is zero, of the linear layers that the pixels go to
/// first; 0 where a convolution comes first.
double zero_share(const Workload& workload);

/// Workloads are stored in a folder that exists, and loaded from it.
void save_workload(const std::filesystem::path& folder, const Workload& workload);
Workload load_workload(const std::filesystem::path& folder);

}  // namespace cbnet::peers
