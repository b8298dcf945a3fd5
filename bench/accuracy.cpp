#include "bench/accuracy.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/options.h"
#include "bench/runs.h"
#include "bench/statistics.h"
#include "bench/text_table.h"
#include "cbnet/evaluate.h"
#include "data/dataset.h"
#include "tensor/error.h"
#include "tensor/io.h"

namespace cbnet::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kExamples =
    "  cbnet_bench accuracy --run runs/fmnist-1 --run runs/fmnist-2 --run runs/fmnist-3\n";

std::vector<Judged> judge_runs(const std::vector<std::string>& runs, const CommonOptions& common) {
  data::Location location;
  location.data_dir = common.data_dir;
  location.progress = !common.quiet;
  std::map<std::string, data::Split> datasets;
  std::vector<Judged> out;
  for (const std::string& run : runs) {
    for (const auto& predictor : load_models(run)) {
      if (predictor->name() == "autoencoder") continue;  // it does not classify
      const std::string name = predictor->dataset();
      if (datasets.count(name) == 0) datasets[name] = data::load_test_set(dataset_id(name), location).split;
      const data::Split& test = datasets[name];
      const Evaluation result = evaluate(*predictor, test.images, test.labels);
      if (!common.quiet)
        std::cerr << run << ": " << predictor->name() << " " << fixed(100 * result.accuracy, 2) << " %\n";
      out.push_back({name, predictor->name(), result.accuracy, result.exit_rates.front()});
    }
  }
  return out;
}

/// "89.71 (89.60 to 89.80)", in percent.
std::string mean_and_range(const std::vector<double>& shares) {
  const auto [low, high] = std::minmax_element(shares.begin(), shares.end());
  return concat(fixed(100 * mean(shares), 2), " (", fixed(100 * *low, 2), " to ", fixed(100 * *high, 2), ")");
}

}  // namespace

std::string accuracy_markdown(const std::vector<Judged>& judged) {
  require(!judged.empty(), "accuracy", "no run was judged");
  std::string out =
      "| dataset | model | runs | test accuracy, %: mean (range) | early exits, % "
      "|\n|---|---|---:|---:|---:|\n";
  std::vector<std::pair<std::string, std::string>> done;
  for (const Judged& first : judged) {
    const std::pair<std::string, std::string> key{first.dataset, first.model};
    if (std::find(done.begin(), done.end(), key) != done.end()) continue;
    done.push_back(key);
    std::vector<double> accuracy;
    std::vector<double> early;
    for (const Judged& one : judged) {
      if (one.dataset != first.dataset || one.model != first.model) continue;
      accuracy.push_back(one.accuracy);
      early.push_back(one.early_rate);
    }
    out += concat("| ", first.dataset, " | ", first.model, " | ", accuracy.size(), " | ",
                  mean_and_range(accuracy), " | ", first.model == "branchynet" ? mean_and_range(early) : "-",
                  " |\n");
  }
  return out;
}

int run_accuracy(const std::vector<std::string>& words) {
  cxxopts::Options options(
      "cbnet_bench accuracy",
      "Test accuracy of the models of several runs: mean and range over the runs of a dataset.\n");
  options.add_options()("run", "A run folder made by `cbnet train`; repeat it",
                        cxxopts::value<std::vector<std::string>>(), "RUN");
  add_common(options);
  const auto parsed = parse(options, words, kExamples);
  if (!parsed) return 0;
  if (parsed->count("run") == 0)
    throw UsageError("accuracy needs --run; hint: repeat it, once for each seed");
  const CommonOptions common = apply_common(*parsed);
  const std::vector<Judged> judged = judge_runs((*parsed)["run"].as<std::vector<std::string>>(), common);
  std::cout << accuracy_markdown(judged);
  if (!common.json.empty()) {
    Json rows = Json::array();
    for (const Judged& one : judged) {
      rows.push_back({{"dataset", one.dataset},
                      {"model", one.model},
                      {"accuracy", one.accuracy},
                      {"early_rate", one.early_rate}});
    }
    write_file_atomic(common.json,
                      Json{{"schema", "cbnet-accuracy/1"}, {"rows", std::move(rows)}}.dump(2) + "\n");
  }
  return 0;
}

}  // namespace cbnet::bench
