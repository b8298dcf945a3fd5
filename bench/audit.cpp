#include "bench/audit.h"

#include <unistd.h>

#include <iostream>
#include <map>

#include "bench/ledger.h"
#include "bench/limits.h"
#include "bench/records.h"
#include "bench/report.h"
#include "bench/runs.h"
#include "bench/table2.h"
#include "cbnet/predictor.h"
#include "cbnet/requirements.h"
#include "cbnet/run_folder.h"
#include "console/options.h"
#include "console/output.h"
#include "console/progress.h"
#include "data/dataset.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tensor/parallel.h"

namespace cbnet::bench {
namespace {

constexpr std::uint64_t kOrderSeed = 2024;
constexpr std::int64_t kLeastWorkImages = 256;

constexpr Manual kManual{
    "cbnet_bench", "audit", "--run RUN [--run RUN2 …] [options]",
    "Holds every number that the paper claims against what is measured of these runs: under the protocol\n"
    "of the public code, that of the paper's text and a fair one, in one run, with a verdict for each.\n",
    R"(Several seeds of each dataset make intervals; scripts/reproduce trains them. One thread unless --threads
says otherwise.

Examples:
  cbnet_bench audit --run runs/fmnist
  cbnet_bench audit --run runs/mnist-1 --run runs/mnist-2 --run runs/fmnist-1 --markdown ledger.md --json ledger.json
)"};

void declare(CommandLine& line) {
  line.add_picture_options();
  line.add_list("Models", "run", "RUN", "a run folder made by `cbnet train`; repeat it");
  line.add("Measurement", "rounds", "N", "blocks of each model under each protocol (default: 3)");
  line.add("Measurement", "arrival-ms", "N", "milliseconds between two images of `arrival` (default: 33)");
  line.add("Measurement", "arrival-images", "N", "images of `arrival` in each block (default: 100)");
  line.add("Output", "markdown", "FILE", "write the tables there instead of to the standard output");
}

TimerOptions read_options(const CommandLine& line) {
  TimerOptions out;
  if (line.has("rounds")) out.rounds = static_cast<int>(line.integer("rounds", 1));
  if (line.has("arrival-ms")) out.arrival_s = 1e-3 * static_cast<double>(line.integer("arrival-ms", 1));
  if (line.has("arrival-images")) out.arrival_images = line.integer("arrival-images", 1);
  return out;
}

std::vector<RunEvidence::Judged> judge(const std::string& folder, const Tensor& images,
                                       const Tensor& labels) {
  std::vector<RunEvidence::Judged> out;
  for (const char* model : {"lenet", "branchynet", "classifier", "cbnet"}) {
    const std::unique_ptr<Predictor> predictor = load_predictor(folder, model);
    RunEvidence::Judged judged{model, {}, 0.0, 0.0};
    double early = 0.0;
    for (const Tensor& batch : in_batches(images, 1000)) {
      const Predictions answer = predictor->predict(batch);
      for (std::size_t i = 0; i < answer.labels.size(); ++i) {
        const auto at = static_cast<std::int64_t>(judged.right.size());
        judged.right.push_back(answer.labels[i] == static_cast<std::int64_t>(labels.at({at})));
        early += answer.exit[i] == 0 ? 1.0 : 0.0;
        judged.macs +=
            static_cast<double>(predictor->macs_by_exit().at(static_cast<std::size_t>(answer.exit[i])));
      }
    }
    const auto count = static_cast<double>(judged.right.size());
    judged.early_rate = early / count;
    judged.macs /= count;
    out.push_back(std::move(judged));
  }
  return out;
}

/// Returns the paper's machine that this one is, or "".
std::string paper_machine(const energy::Host& host) {
  std::string name = to_string(host.platform);
  if (name == "raspberry_pi_4") return name;
  return name == "google_compute_engine" ? "gci" : "";
}

Evidence gather(const CommandLine& line, ProgressBar& bar) {
  TimerOptions options = read_options(line);
  options.progress = [&](const std::string& what, int done, int all) {
    bar.update("timing " + what, static_cast<double>(done) / all, "", true);
  };
  Evidence out;
  const HostRecord host = record_host();
  out.machine = paper_machine(host.host);
  out.gmacs = fma_gmacs(active_isa());
  if (out.gmacs) *out.gmacs *= num_threads();
  std::map<std::string, data::Dataset> datasets;
  for (const std::string& folder : run_folders(line)) {
    const TrainedRun run = load_trained_run(folder);
    if (datasets.count(run.dataset) == 0)
      datasets[run.dataset] = data::load_dataset(line.source(run.dataset), data::Splits::test);
    const data::Dataset& dataset = datasets[run.dataset];
    require_unseen(RunFolder(folder), dataset);
    const TestSet test = shuffled(dataset.test, kOrderSeed);
    bar.say("run " + folder);
    RunEvidence evidence{folder, run.dataset, {}, {}, {}};
    evidence.judged = judge(folder, test.images, test.labels);
    evidence.least =
        least_work(run, test.images.slice(0, 0, std::min(kLeastWorkImages, test.images.size(0))));
    evidence.times = time_subjects(timed_subjects(run, test.images, options), options);
    out.runs.push_back(std::move(evidence));
  }
  return out;
}

}  // namespace

int run_audit(const std::vector<std::string>& words) {
  CommandLine line(kManual);
  declare(line);
  if (!line.parse(words, false)) return 0;
  if (line.has("markdown")) check_writable("--markdown", line.text("markdown"));
  if (!line.has("threads")) set_num_threads(1);
  ProgressBar bar(std::cerr, std::cerr, isatty(STDERR_FILENO) == 1, line.quiet());
  const Evidence evidence = gather(line, bar);
  const std::vector<LedgerRow> rows = ledger_of(paper_claims(), evidence);
  const std::string text = ledger_markdown(evidence, rows);
  if (line.has("markdown")) {
    write_file_atomic(line.text("markdown"), text);
  } else {
    std::cout << text;
  }
  Json record = record_json("cbnet-audit/1");
  record.update(ledger_json(evidence, rows));
  write_report(line.json_file(), record);
  int exit_code = 0;
  for (const LedgerRow& row : rows) {
    if (!row.verdict.empty()) continue;
    std::cerr << "cbnet_bench: claim " << row.claim.id << " has no verdict\n";
    exit_code = 1;
  }
  for (const std::string& each : impossible_times(evidence)) {
    std::cerr << "cbnet_bench: " << each << "\n";
    exit_code = 1;
  }
  return exit_code;
}

}  // namespace cbnet::bench
