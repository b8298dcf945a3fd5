#include "bench/report_json.h"

#include "bench/paper.h"
#include "tensor/version.h"

namespace cbnet::bench {
namespace {

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json kind_or_null(const std::optional<energy::Kind>& kind) {
  constexpr const char* kNames[] = {"measured", "counter", "modelled"};
  return kind ? Json(kNames[static_cast<int>(*kind)]) : Json();
}

Json machines_json(const std::array<double, kPaperMachines>& figures) {
  Json out = Json::object();
  for (std::size_t m = 0; m < kPaperMachines; ++m) out[kPaperMachineNames[m].key] = figures[m];
  return out;
}

Json paper_json(const Row& row) {
  const std::optional<PaperRow> paper = paper_row(row.dataset, row.model);
  if (!paper) return {};
  return {{"source", "Table II; exit rate: IV-D"},
          {"dataset", paper->dataset},
          {"latency_ms", machines_json(paper->latency_ms)},
          {"energy_savings", paper->energy_savings ? machines_json(*paper->energy_savings) : Json()},
          {"accuracy", paper->accuracy},
          {"exit_rate", or_null(paper->exit_rate)}};
}

Json sampled_json(const std::optional<energy::SampledEnergy>& sampled) {
  if (!sampled) return {};
  return {
      {"energy_j", or_null(sampled->energy_j)}, {"coverage", sampled->coverage}, {"source", sampled->source}};
}

Json block_json(const Block& block) {
  return {{"round", block.round},
          {"passes", block.passes},
          {"images", block.images},
          {"window_s", block.energy.window_s},
          {"mean_us", block.mean_ns() * 1e-3},
          {"energy_j", or_null(block.energy.energy_j)},
          {"power_w", or_null(block.energy.power_w)},
          {"utilisation", or_null(block.energy.utilisation)},
          {"steal_frac", or_null(block.energy.steal_frac)},
          {"coverage", or_null(block.energy.coverage)},
          {"sampled", sampled_json(block.energy.sampled)},
          {"energy_warning", text_or_null(block.energy.warning)}};
}

Json row_json(const Report& report, const Row& row) {
  const LatencyUs& t = row.latency;
  Json out{{"run", row.run},
           {"dataset", row.dataset},
           {"model", row.model},
           {"engine", row.engine},
           {"device", row.device},
           {"protocol", row.protocol},
           {"precision", row.precision},
           {"sparsity", row.sparsity},
           {"batch", row.batch},
           {"threads", row.threads},
           {"images", row.images},
           {"latency_us",
            {{"mean", t.mean},
             {"spread", t.spread},
             {"median", t.median},
             {"p10", t.p10},
             {"p90", t.p90},
             {"p99", t.p99}}},
           {"speedup_over_lenet", or_null(speedup(report, row))},
           {"energy_j_per_image", or_null(row.energy.j_per_image)},
           {"energy_kind", kind_or_null(row.energy.kind)},
           {"energy_label", row.energy.label},
           {"energy_source", row.energy.source},
           {"energy_coverage", or_null(row.energy.coverage)},
           {"sampled_j_per_image", or_null(row.energy.sampled_j_per_image)},
           {"energy_savings", or_null(energy_savings(report, row))},
           {"power_w", or_null(row.energy.power_w)},
           {"utilisation", or_null(row.energy.utilisation)},
           {"steal_frac", or_null(row.energy.steal_frac)},
           {"accuracy", or_null(row.accuracy)},
           {"exit_rates", row.exit_rates},
           {"macs", row.macs_by_exit.back()},
           {"macs_mean", row.macs_mean},
           {"macs_by_exit", row.macs_by_exit},
           {"weight_bytes", row.weight_bytes},
           {"paper", paper_json(row)}};
  Json blocks = Json::array();
  for (const Block& block : row.blocks) blocks.push_back(block_json(block));
  out["blocks"] = std::move(blocks);
  return out;
}

Json left_out_json(const LeftOut& plan) {
  return {{"run", plan.run},
          {"model", plan.model},
          {"precision", plan.precision},
          {"validation_accuracy", plan.accuracy},
          {"fp32_validation_accuracy", plan.fp32_accuracy}};
}

}  // namespace

Json host_json(const HostRecord& record) {
  return {{"description", record.host.describe()},
          {"platform", to_string(record.host.platform)},
          {"model", text_or_null(record.host.model)},
          {"cpu", text_or_null(record.host.cpu)},
          {"cpu_count", record.host.cpu_count},
          {"isa", record.isa},
          {"blas", record.blas},
          {"threads", record.threads},
          {"wait_policy", record.wait_policy}};
}

Json report_json(const Report& report) {
  Json rows = Json::array(), left_out = Json::array();
  for (const Row& row : report.rows) rows.push_back(row_json(report, row));
  for (const LeftOut& plan : report.left_out) left_out.push_back(left_out_json(plan));
  return {{"schema", "cbnet-bench/1"},
          {"version", kVersion},
          {"commit", text_or_null(build_commit())},
          {"host", host_json(report.host)},
          {"method",
           {{"rounds", report.rounds},
            {"min_block_s", report.min_block_s},
            {"order_seed", report.order_seed},
            {"timer_cost_ns", report.timer_cost_ns},
            {"energy", report.meter}}},
          {"rows", std::move(rows)},
          {"left_out", std::move(left_out)}};
}

}  // namespace cbnet::bench
