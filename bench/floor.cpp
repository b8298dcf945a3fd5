#include "bench/floor.h"

#include <algorithm>
#include <cmath>

#include "bench/limits.h"
#include "tensor/error.h"

namespace cbnet::bench {
namespace {

/// Buffers of these sizes lie in an L1, an L2, an L3 and in none of them, on most machines.
constexpr double kCacheSizes[] = {24e3, 384e3, 8e6, 256e6};

double bandwidth_at(const MachineLimits& limits, double bytes) {
  require(!limits.reads.empty(), "limits", "no bandwidth was measured");
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
  MachineLimits out{isa, fma_gmacs(isa), int8_gmacs(isa), {}};
  std::vector<double> all(std::begin(kCacheSizes), std::end(kCacheSizes));
  all.insert(all.end(), sizes.begin(), sizes.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  for (const double size : all) {
    const auto bytes = static_cast<std::size_t>(std::max(size, 4096.0));
    out.reads.push_back(
        {size, read_gb_per_s(bytes, Sweep::one_way, isa), read_gb_per_s(bytes, Sweep::zigzag, isa)});
  }
  return out;
}

MachineLimits better(const MachineLimits& a, const MachineLimits& b) {
  require(a.isa == b.isa && a.reads.size() == b.reads.size(), "limits",
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

std::vector<double> octaves(double largest) {
  std::vector<double> out = {4096.0};
  while (out.back() < largest) out.push_back(2 * out.back());
  return out;
}

std::optional<Floor> floor_of(const Work& work, const MachineLimits& limits) {
  if ((work.macs > 0 && !limits.fma_gmacs) || (work.int8_macs > 0 && !limits.int8_gmacs)) return {};
  double arithmetic_ns = 0.0;
  if (work.macs > 0) arithmetic_ns += work.macs / *limits.fma_gmacs;
  if (work.int8_macs > 0) arithmetic_ns += work.int8_macs / *limits.int8_gmacs;
  const double memory_ns = work.bytes > 0 ? work.bytes / bandwidth_at(limits, work.bytes) : 0.0;
  return Floor{1e-3 * std::max(arithmetic_ns, memory_ns), memory_ns > arithmetic_ns};
}

}  // namespace cbnet::bench
