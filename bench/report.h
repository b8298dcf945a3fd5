#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/protocol.h"
#include "bench/runs.h"
#include "cbnet/compression.h"
#include "energy/host.h"
#include "energy/kind.h"

// This is one record of a measurement, from which the table and the JSON are drawn.

namespace cbnet::bench {

struct LatencyUs {
  double mean = 0.0;                                     // total time over images, all blocks
  double spread = 0.0;                                   // half the range of the blocks' means
  double median = 0.0, p10 = 0.0, p90 = 0.0, p99 = 0.0;  // over calls: each visit of an image, at batch 1
};

struct EnergySummary {
  /// Both are empty when there is no model, or when the sensor failed in any block: never 0.
  std::optional<double> j_per_image;
  std::optional<energy::Kind> kind;
  std::string label;                                       // whose joules these are
  std::string source;                                      // the sensor, or the model with every constant
  std::optional<double> power_w, utilisation, steal_frac;  // weighted by the blocks' windows
  std::optional<double> coverage;                          // the least of the blocks; sensors only
  /// This is by power samples beside a counter, over the same windows; empty when a block has none.
  std::optional<double> sampled_j_per_image, sampled_coverage;
  std::string sampled_source;
  std::vector<std::string> warnings;  // each once
};

/// Throws std::invalid_argument when there are no blocks, as both do.
LatencyUs summarise_latency(const std::vector<Block>& blocks);
EnergySummary summarise_energy(const std::vector<Block>& blocks);

/// This is one model of one run.
struct Row {
  std::string run;  // the folder, as it was given
  std::string dataset;
  std::string model;
  std::string engine = "plan";  // or "eager": the modules that trained the model
  std::string device = "cpu";
  std::string protocol = "fair";
  std::string precision = "fp32";
  double sparsity = 0.0;  // of the large layers of a compiled plan
  std::int64_t batch = 1;
  std::int64_t threads = 1;
  std::int64_t images = 0;  // of the test set
  LatencyUs latency;
  EnergySummary energy;
  std::optional<double> accuracy;  // 0 … 1; the autoencoder alone has none
  std::vector<double> exit_rates;
  std::vector<std::int64_t> macs_by_exit;
  double macs_mean = 0.0;
  std::int64_t weight_bytes = 0;
  std::vector<Block> blocks;
};

/// Names the variant "cbnet", "cbnet, int8", "cbnet, int8, 50 % sparse" or "cbnet, eager".
std::string title_of(const Row& row);
/// Names the dataset too: "autoencoder-mnist, int8".
std::string title_of(const CompiledInfo& info);

/// These are the machine and the engine.
struct HostRecord {
  energy::Host host;
  std::string isa, blas, wait_policy;
  int threads = 1;
};
HostRecord record_host();
/// It is "raspberry_pi_4", "other_raspberry_pi", "google_compute_engine" or "other".
const char* to_string(energy::Platform platform);

struct Report {
  HostRecord host;
  std::string meter;  // what turns the window into joules, with every constant
  double timer_cost_ns = 0.0;
  double min_block_s = 1.0;
  std::int64_t rounds = 3;
  std::uint64_t order_seed = 0;  // of the order in which the images are visited
  std::vector<Row> rows;
  std::vector<LeftOut> left_out;
};

/// Finds the f32 row of LeNet in the same run and engine: what speed-ups and savings are relative to. Null
/// when there is none.
const Row* baseline_of(const Report& report, const Row& row);
/// Returns the baseline's mean latency over this one's.
std::optional<double> speedup(const Report& report, const Row& row);
/// Returns 1 - E / E_baseline, both an image's joules of the same kind.
std::optional<double> energy_savings(const Report& report, const Row& row);

/// Returns the commit this program was built from, "" when the build did not say.
std::string build_commit();

}  // namespace cbnet::bench
