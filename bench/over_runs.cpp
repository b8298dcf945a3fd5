#include "bench/over_runs.h"

#include <vector>

#include "bench/statistics.h"
#include "console/output.h"
#include "tensor/error.h"

namespace cbnet::bench {
namespace {

/// Each list has a value a run, where the run has one.
struct Figures {
  std::string dataset, title;
  std::vector<double> accuracy, latency_us, over_lenet, over_branchynet;
};

/// Returns how many times as long the f32 row of `model` in the same run and engine takes.
void add_ratio(const Report& report, const Row& row, const char* model, std::vector<double>& to) {
  for (const Row& other : report.rows) {
    if (other.run == row.run && other.model == model && other.engine == row.engine &&
        other.precision == "fp32")
      to.push_back(other.latency.mean / row.latency.mean);
  }
}

std::string mean_text(const std::vector<double>& values, double factor, int decimals) {
  if (values.empty()) return "-";
  const std::string text = fixed(factor * mean(values), decimals);
  return values.size() == 1 ? text : concat(text, " ± ", fixed(factor * interval95(values), decimals));
}

}  // namespace

std::string over_runs_text(const Report& report) {
  std::vector<Figures> all;
  for (const Row& row : report.rows) {
    auto at = all.begin();
    while (at != all.end() && (at->dataset != row.dataset || at->title != title_of(row))) ++at;
    if (at == all.end()) at = all.insert(at, Figures{row.dataset, title_of(row), {}, {}, {}, {}});
    if (row.accuracy) at->accuracy.push_back(*row.accuracy);
    at->latency_us.push_back(row.latency.mean);
    add_ratio(report, row, "lenet", at->over_lenet);
    add_ratio(report, row, "branchynet", at->over_branchynet);
  }
  std::erase_if(all, [](const Figures& figures) { return figures.latency_us.size() < 2; });
  if (all.empty()) return "";
  Table table({"over runs", "model", "runs", "accuracy, %", "latency, us", "x LeNet", "x BranchyNet"}, 2);
  for (const Figures& figures : all) {
    table.add({figures.dataset, figures.title, concat(figures.latency_us.size()),
               mean_text(figures.accuracy, 100, 2), mean_text(figures.latency_us, 1, 2),
               mean_text(figures.over_lenet, 1, 2), mean_text(figures.over_branchynet, 1, 2)});
  }
  return table.text();
}

}  // namespace cbnet::bench
