#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/report_json.h"
#include "tests/bench/support.h"

using namespace cbnet;
using namespace cbnet::bench;
using namespace cbnet::bench::testing;

namespace {

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> out;
  for (const auto& [key, value] : object.items()) out.push_back(key);
  return out;
}

}  // namespace

TEST_CASE("report_json: the keys of the schema, in its order") {
  const Json json = report_json(report_of({row_of("lenet", 40.0, 2.0)}));
  CHECK(json.at("schema") == "cbnet-bench/1");
  CHECK(keys_of(json) ==
        std::vector<std::string>{"schema", "version", "commit", "host", "method", "rows", "left_out"});
  CHECK(keys_of(json.at("rows").at(0)) == std::vector<std::string>{"run",
                                                                   "dataset",
                                                                   "model",
                                                                   "engine",
                                                                   "device",
                                                                   "protocol",
                                                                   "precision",
                                                                   "sparsity",
                                                                   "batch",
                                                                   "threads",
                                                                   "images",
                                                                   "latency_us",
                                                                   "speedup_over_lenet",
                                                                   "energy_j_per_image",
                                                                   "energy_kind",
                                                                   "energy_label",
                                                                   "energy_source",
                                                                   "energy_coverage",
                                                                   "sampled_j_per_image",
                                                                   "energy_savings",
                                                                   "power_w",
                                                                   "utilisation",
                                                                   "steal_frac",
                                                                   "accuracy",
                                                                   "exit_rates",
                                                                   "macs",
                                                                   "macs_mean",
                                                                   "macs_by_exit",
                                                                   "weight_bytes",
                                                                   "paper",
                                                                   "blocks"});
  CHECK(keys_of(json.at("rows").at(0).at("latency_us")) ==
        std::vector<std::string>{"mean", "spread", "median", "p10", "p90", "p99"});
  CHECK(report_json(report_of({})).at("rows").empty());
}

TEST_CASE("report_json: the values of a row") {
  const Report report = report_of({row_of("lenet", 40.0, 2.0), row_of("branchynet", 20.0, 2.0)});
  const Json row = report_json(report).at("rows").at(1);
  CHECK(row.at("dataset") == "fmnist");
  CHECK(row.at("protocol") == "fair");
  CHECK(row.at("engine") == "plan");
  CHECK(row.at("precision") == "fp32");
  CHECK(row.at("sparsity") == 0.0);
  CHECK(row.at("latency_us").at("mean").get<double>() == doctest::Approx(20.0));
  CHECK(row.at("speedup_over_lenet").get<double>() == doctest::Approx(2.0));
  CHECK(row.at("energy_j_per_image").get<double>() == doctest::Approx(40e-6));
  CHECK(row.at("energy_kind") == "modelled");
  CHECK(row.at("energy_savings").get<double>() == doctest::Approx(0.5));
  CHECK(row.at("accuracy") == 0.875);
  CHECK(row.at("macs") == 1000);
  CHECK(row.at("macs_mean") == 400.0);
  CHECK(row.at("macs_by_exit") == Json{200, 1000});
  CHECK(row.at("paper").at("latency_ms").at("raspberry_pi_4") == 7.248);
  CHECK(row.at("paper").at("energy_savings").at("gci_k80") == 0.14);
  CHECK(row.at("paper").at("exit_rate") == 0.7691);
  REQUIRE(row.at("blocks").size() == 3);
  CHECK(row.at("blocks").at(0).at("images") == 100);
  CHECK(row.at("blocks").at(0).at("mean_us").get<double>() == doctest::Approx(20.0));
}

TEST_CASE("report_json: what is not known is null, never 0") {
  const Json rows = report_json(report_of({row_of("autoencoder", 20.0, {})})).at("rows");
  const Json& row = rows.at(0);
  for (const char* key : {"accuracy", "energy_j_per_image", "energy_kind", "energy_savings", "power_w",
                          "utilisation", "steal_frac", "speedup_over_lenet", "paper"}) {
    CAPTURE(key);
    CHECK(row.at(key).is_null());
  }
  CHECK(row.at("blocks").at(0).at("energy_j").is_null());
}

TEST_CASE("report_json: plans that were left out, and why") {
  Report report = report_of({});
  report.left_out = {{"runs/a", "cbnet", "int8", 0.87, 0.88}};
  const Json plan = report_json(report).at("left_out").at(0);
  CHECK(plan.at("run") == "runs/a");
  CHECK(plan.at("model") == "cbnet");
  CHECK(plan.at("precision") == "int8");
  CHECK(plan.at("validation_accuracy") == 0.87);
  CHECK(plan.at("fp32_validation_accuracy") == 0.88);
}

TEST_CASE("report_json: a sensor's source and coverage, and the second figure, are stored") {
  Row row = row_of("lenet", 40.0, 2.0);
  row.energy.source = "a counter";
  row.energy.coverage = 0.97;
  row.energy.sampled_j_per_image = 0.25;
  row.blocks[0].energy.coverage = 0.98;
  row.blocks[0].energy.sampled = energy::SampledEnergy{{}, 0.5, "power"};
  const Json json = report_json(report_of({row})).at("rows").at(0);
  CHECK(json.at("energy_source") == "a counter");
  CHECK(json.at("energy_coverage") == 0.97);
  CHECK(json.at("sampled_j_per_image") == 0.25);
  CHECK(json.at("blocks").at(0).at("coverage") == 0.98);
  CHECK(json.at("blocks").at(0).at("sampled") ==
        Json{{"energy_j", nullptr}, {"coverage", 0.5}, {"source", "power"}});
  CHECK(json.at("blocks").at(1).at("coverage").is_null());
  CHECK(json.at("blocks").at(1).at("sampled").is_null());
}

TEST_CASE("report_json: the three kinds of energy") {
  Row row = row_of("lenet", 40.0, 2.0);
  for (const auto& [kind, word] :
       std::vector<std::pair<energy::Kind, std::string>>{{energy::Kind::measured, "measured"},
                                                         {energy::Kind::counter, "counter"},
                                                         {energy::Kind::modelled, "modelled"}}) {
    row.energy.kind = kind;
    CHECK(report_json(report_of({row})).at("rows").at(0).at("energy_kind") == word);
  }
}
