#include "bench/accuracy.h"

#include <algorithm>
#include <iostream>

#include "bench/runs.h"
#include "bench/statistics.h"
#include "cbnet/evaluate.h"
#include "cbnet/requirements.h"
#include "console/options.h"
#include "console/output.h"
#include "console/run_models.h"
#include "data/dataset.h"
#include "tensor/error.h"
#include "tensor/version.h"

namespace cbnet::bench {
namespace {

constexpr Manual kManual{
    "cbnet_bench", "accuracy", "--run RUN [--run RUN2 …] [options]",
    "Test accuracy of the models of several runs: mean and range over the runs of a dataset.\n",
    R"(Examples:
  cbnet_bench accuracy --run runs/fmnist-1 --run runs/fmnist-2 --run runs/fmnist-3
  cbnet_bench accuracy --run runs/1 --run runs/2 --against lenet
  cbnet_bench accuracy --run runs/fmnist --json accuracy.json
)"};

std::vector<Judged> judge_runs(const CommandLine& line, std::vector<UnusableModel>& unusable) {
  std::map<std::string, data::Dataset> datasets;
  std::vector<Judged> out;
  for (const std::string& run : run_folders(line)) {
    const RunModels models = load_models(run);
    warn_of_unusable("cbnet_bench", run, models.unusable);
    unusable.insert(unusable.end(), models.unusable.begin(), models.unusable.end());
    for (const auto& predictor : models.usable) {
      if (predictor->name() == "autoencoder") continue;  // it does not classify
      const std::string name = predictor->dataset();
      if (datasets.count(name) == 0)
        datasets[name] = data::load_dataset(line.source(name), data::Splits::test);
      const data::Split& test = datasets[name].test;
      require_fits(predictor->info(), test, datasets[name]);
      require_unseen(RunFolder(run), datasets[name]);
      const Evaluation result = evaluate(*predictor, test.images, test.labels);
      if (!line.quiet())
        std::cerr << run << ": " << predictor->name() << " " << fixed(100 * result.accuracy, 2) << " %\n";
      out.push_back({name, predictor->name(), result.accuracy, result.exit_rates.front(), run});
    }
  }
  return out;
}

/// Formats as "89.71 (89.60 to 89.80)", in percent.
std::string mean_and_range(const std::vector<double>& fractions) {
  const auto [low, high] = std::minmax_element(fractions.begin(), fractions.end());
  return concat(fixed(100 * mean(fractions), 2), " (", fixed(100 * *low, 2), " to ", fixed(100 * *high, 2),
                ")");
}

}  // namespace

std::string accuracy_markdown(const std::vector<Judged>& judged) {
  require(!judged.empty(), "accuracy", "no run was judged");
  Table table({"dataset", "model", "runs", "test accuracy, %: mean (range)", "early exits, %"}, 2);
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
    table.add({first.dataset, first.model, concat(accuracy.size()), mean_and_range(accuracy),
               first.model == "branchynet" ? mean_and_range(early) : "-"});
  }
  return table.markdown();
}

std::string differences_markdown(const std::vector<Judged>& judged, const std::string& against) {
  std::vector<std::pair<std::string, std::vector<double>>> points;  // by dataset and model
  for (const Judged& one : judged) {
    const auto base = std::find_if(judged.begin(), judged.end(), [&](const Judged& other) {
      return other.run == one.run && other.model == against && other.dataset == one.dataset;
    });
    if (base == judged.end() || one.model == against) continue;
    const std::string key = concat(one.dataset, " | ", one.model);
    auto at =
        std::find_if(points.begin(), points.end(), [&](const auto& entry) { return entry.first == key; });
    if (at == points.end()) at = points.insert(at, {key, {}});
    at->second.push_back(100 * (one.accuracy - base->accuracy));
  }
  std::erase_if(points, [](const auto& entry) { return entry.second.size() < 2; });
  require(!points.empty(), "accuracy", "no model stands beside '", against, "' in two runs");
  std::string out = concat("| dataset | model | runs | points above ", against,
                           ": mean ± 95 % interval |\n|---|---|---|---|\n");
  for (const auto& [key, values] : points) {
    out += concat("| ", key, " | ", values.size(), " | ", fixed(mean(values), 2), " ± ",
                  fixed(interval95(values), 2), " |\n");
  }
  return out;
}

int run_accuracy(const std::vector<std::string>& words) {
  CommandLine line(kManual);
  line.add_list("Models", "run", "RUN", "a run folder made by `cbnet train`; repeat it, once for each seed");
  line.add("Models", "against", "MODEL", "how far the other models of the same run are from this one, too");
  line.add_picture_options();
  if (!line.parse(words, false)) return 0;
  std::vector<UnusableModel> unusable;
  const std::vector<Judged> judged = judge_runs(line, unusable);
  std::cout << accuracy_markdown(judged);
  if (line.has("against")) std::cout << '\n' << differences_markdown(judged, line.text("against"));
  Json rows = Json::array();
  for (const Judged& one : judged) {
    rows.push_back({{"run", one.run},
                    {"dataset", one.dataset},
                    {"model", one.model},
                    {"accuracy", one.accuracy},
                    {"early_rate", one.early_rate}});
  }
  write_report(line.json_file(), {{"schema", "cbnet-accuracy/1"},
                                  {"version", kVersion},
                                  {"rows", std::move(rows)},
                                  {"unusable", unusable_json(unusable)}});
  return exit_code_for(unusable);
}

}  // namespace cbnet::bench
