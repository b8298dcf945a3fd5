#include "bench/peers/bounds.h"

#include <algorithm>
#include <cmath>

#include "bench/limits.h"
#include "tensor/error.h"

namespace cbnet::peers {
namespace {

/// Inside an L1, an L2, an L3 and in none of them, on most machines.
constexpr double kCacheSizes[] = {24e3, 384e3, 8e6, 256e6};

double bandwidth_at(const MachineLimits& limits, double bytes) {
  require(!limits.reads.empty(), "peers", "no bandwidth was measured");
  const auto nearest =
      std::min_element(limits.reads.begin(), limits.reads.end(), [&](const auto& a, const auto& b) {
        return std::abs(std::log(a.size_bytes / bytes)) < std::abs(std::log(b.size_bytes / bytes));
      });
  return nearest->one_way;
}

std::optional<double> larger(const std::optional<double>& a, const std::optional<double>& b) {
  return a && b ? std::max(*a, *b) : a ? a : b;
}

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

}  // namespace

MachineLimits measure_limits(Isa isa, const std::vector<double>& sizes) {
  MachineLimits out{isa, bench::fma_gmacs(isa), bench::int8_gmacs(isa), {}};
  std::vector<double> all(std::begin(kCacheSizes), std::end(kCacheSizes));
  all.insert(all.end(), sizes.begin(), sizes.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  for (const double size : all) {
    const auto bytes = static_cast<std::size_t>(std::max(size, 4096.0));
    out.reads.push_back({size, bench::read_gb_per_s(bytes, bench::Sweep::one_way, isa),
                         bench::read_gb_per_s(bytes, bench::Sweep::zigzag, isa)});
  }
  return out;
}

MachineLimits better(const MachineLimits& a, const MachineLimits& b) {
  require(a.isa == b.isa && a.reads.size() == b.reads.size(), "peers",
          "limits of the same kind are compared");
  MachineLimits out = a;
  out.fma_gmacs = larger(a.fma_gmacs, b.fma_gmacs);
  out.int8_gmacs = larger(a.int8_gmacs, b.int8_gmacs);
  for (std::size_t i = 0; i < out.reads.size(); ++i) {
    out.reads[i].one_way = std::max(a.reads[i].one_way, b.reads[i].one_way);
    out.reads[i].zigzag = std::max(a.reads[i].zigzag, b.reads[i].zigzag);
  }
  return out;
}

Json to_json(const MachineLimits& limits) {
  Json reads = Json::array();
  for (const Bandwidth& read : limits.reads)
    reads.push_back({{"size_bytes", read.size_bytes},
                     {"one_way_gb_per_s", read.one_way},
                     {"zigzag_gb_per_s", read.zigzag}});
  return {{"isa", to_string(limits.isa)},
          {"fma_gmac_per_s", or_null(limits.fma_gmacs)},
          {"int8_gmac_per_s", or_null(limits.int8_gmacs)},
          {"reads", reads}};
}

double core_bytes(const ModelCost& cost, const std::string& precision, int threads) {
  const double saved = precision == "int8" ? 0.75 * cost.dense_weight_bytes : 0.0;
  return (cost.weight_bytes - saved) / threads;
}

std::optional<Floor> floor_of(const ModelCost& cost, const std::string& precision, std::int64_t batch,
                              int threads, const MachineLimits& limits) {
  const bool int8 = precision == "int8";
  if (!limits.fma_gmacs || (int8 && !limits.int8_gmacs)) return {};
  const double in_bytes = int8 ? cost.dense_macs : 0.0;
  double arithmetic_ns = (cost.macs - in_bytes) / *limits.fma_gmacs;
  if (int8) arithmetic_ns += in_bytes / *limits.int8_gmacs;
  arithmetic_ns /= threads;
  const double bytes = core_bytes(cost, precision, threads);
  const double memory_ns = bytes / bandwidth_at(limits, bytes) / static_cast<double>(batch);
  return Floor{1e-3 * std::max(arithmetic_ns, memory_ns), memory_ns > arithmetic_ns};
}

}  // namespace cbnet::peers
