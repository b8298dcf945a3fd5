#include "bench/report.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "bench/commit.h"
#include "bench/statistics.h"
#include "tensor/cpu/blas.h"
#include "tensor/cpu/isa.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

namespace cbnet::bench {
namespace {

/// Returns the mean over the blocks, weighted by their windows; empty unless every block has the figure.
std::optional<double> weighted(const std::vector<Block>& blocks,
                               std::optional<double> energy::EnergyResult::*figure) {
  double sum = 0.0;
  double seconds = 0.0;
  for (const Block& block : blocks) {
    const std::optional<double> value = block.energy.*figure;
    if (!value) return std::nullopt;
    sum += *value * block.energy.window_s;
    seconds += block.energy.window_s;
  }
  return sum / seconds;
}

}  // namespace

LatencyUs summarise_latency(const std::vector<Block>& blocks) {
  require(!blocks.empty(), "report", "a latency needs at least one block; got none");
  double seconds = 0.0;
  std::int64_t images = 0;
  std::vector<double> means_us, image_us;
  for (const Block& block : blocks) {
    seconds += block.energy.window_s;
    images += block.images;
    means_us.push_back(block.mean_ns() * 1e-3);
    for (const double ns : block.image_ns) image_us.push_back(ns * 1e-3);
  }
  constexpr std::array<double, 4> kPercents{50, 10, 90, 99};
  const std::vector<double> at = percentiles(std::move(image_us), kPercents);
  return {1e6 * seconds / static_cast<double>(images), half_range(means_us), at[0], at[1], at[2], at[3]};
}

EnergySummary summarise_energy(const std::vector<Block>& blocks) {
  require(!blocks.empty(), "report", "an energy needs at least one block; got none");
  EnergySummary out;
  out.label = blocks.front().energy.label;
  out.source = blocks.front().energy.source;
  out.power_w = weighted(blocks, &energy::EnergyResult::power_w);
  out.utilisation = weighted(blocks, &energy::EnergyResult::utilisation);
  out.steal_frac = weighted(blocks, &energy::EnergyResult::steal_frac);
  double energy_j = 0.0, sampled_j = 0.0;
  std::int64_t images = 0;
  bool complete = true, sampled = true;
  const auto keep_least = [](std::optional<double>& least, std::optional<double> value) {
    if (value) least = std::min(least.value_or(1.0), *value);
  };
  for (const Block& block : blocks) {
    const std::string& warning = block.energy.warning;
    if (!warning.empty() &&
        std::find(out.warnings.begin(), out.warnings.end(), warning) == out.warnings.end()) {
      out.warnings.push_back(warning);
    }
    complete = complete && block.energy.energy_j.has_value();
    energy_j += block.energy.energy_j.value_or(0.0);
    images += block.images;
    keep_least(out.coverage, block.energy.coverage);
    const energy::SampledEnergy beside = block.energy.sampled.value_or(energy::SampledEnergy{});
    if (block.energy.sampled) keep_least(out.sampled_coverage, beside.coverage);
    out.sampled_source = beside.source;
    sampled = sampled && beside.energy_j.has_value();
    sampled_j += beside.energy_j.value_or(0.0);
  }
  if (sampled) out.sampled_j_per_image = sampled_j / static_cast<double>(images);
  if (complete) {
    out.j_per_image = energy_j / static_cast<double>(images);
    out.kind = blocks.front().energy.kind;
  }
  return out;
}

namespace {

std::string variant(const std::string& precision, double sparsity) {
  return concat(precision == "fp32" ? "" : ", " + precision,
                sparsity > 0 ? concat(", ", std::lround(100 * sparsity), " % sparse") : std::string());
}

}  // namespace

std::string title_of(const Row& row) {
  return concat(row.model, variant(row.precision, row.sparsity),
                row.engine == "plan" ? "" : ", " + row.engine);
}

std::string title_of(const CompiledInfo& info) {
  return concat(info.model, "-", info.dataset, variant(runtime::to_string(info.precision), info.sparsity));
}

HostRecord record_host() {
  return {energy::recognise_host(), to_string(active_isa()), blas_description(), wait_policy(),
          num_threads()};
}

const char* to_string(energy::Platform platform) {
  constexpr const char* kNames[] = {"raspberry_pi_4", "other_raspberry_pi", "google_compute_engine", "other"};
  return kNames[static_cast<int>(platform)];
}

const Row* baseline_of(const Report& report, const Row& row) {
  for (const Row& other : report.rows) {
    if (other.run == row.run && other.model == "lenet" && other.engine == row.engine &&
        other.precision == "fp32")
      return &other;
  }
  return nullptr;
}

std::optional<double> speedup(const Report& report, const Row& row) {
  const Row* lenet = baseline_of(report, row);
  if (lenet == nullptr) return std::nullopt;
  return lenet->latency.mean / row.latency.mean;
}

std::optional<double> energy_savings(const Report& report, const Row& row) {
  const Row* lenet = baseline_of(report, row);
  if (lenet == nullptr || !lenet->energy.j_per_image || !row.energy.j_per_image) return std::nullopt;
  if (lenet->energy.kind != row.energy.kind) return std::nullopt;
  return 1.0 - *row.energy.j_per_image / *lenet->energy.j_per_image;
}

std::string build_commit() { return CBNET_COMMIT; }

}  // namespace cbnet::bench
