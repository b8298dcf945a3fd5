#include "bench/table2.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <iostream>
#include <numeric>
#include <optional>

#include "bench/agreement.h"
#include "bench/meters.h"
#include "bench/report_json.h"
#include "bench/runs.h"
#include "bench/table2_text.h"
#include "cbnet/evaluate.h"
#include "cbnet/requirements.h"
#include "cbnet/run_folder.h"
#include "console/options.h"
#include "console/output.h"
#include "console/progress.h"
#include "console/run_models.h"
#include "tensor/parallel.h"

namespace cbnet::bench {
namespace {

constexpr std::uint64_t kOrderSeed = 2024;

constexpr Manual kManual{
    "cbnet_bench", "table2", "--run RUN [--run RUN2 …] [options]",
    "Times the models of each run in turns, pixels in to label out, and prints latency, energy and\n"
    "accuracy beside the paper's Table II.\n",
    R"(Examples:
  cbnet_bench table2 --run runs/fmnist
  cbnet_bench table2 --run runs/mnist --run runs/fmnist --threads 1 --json table2.json
  cbnet_bench table2 --run runs/fmnist --engine all
  cbnet_bench table2 --run runs/fmnist --power-model pi4 --power-constants p_idle_w=2.5,p_peak_w=6.8
  cbnet_bench table2 --run runs/fmnist --device cuda --meter nvml --gpu 0
)"};

struct Settings {
  std::vector<std::string> runs;
  std::int64_t batch = 1;
  std::int64_t repeats = 3;
  std::vector<Engine> engines{Engine::plan};
};

void declare(CommandLine& line) {
  line.allow_other_devices();
  line.add_picture_options();
  line.add_list("Measurement", "run", "RUN", "a run folder made by `cbnet train`; may be repeated");
  line.add("Measurement", "engine", "ENGINE",
           "plan (default), the inference engine; eager, the modules that trained; or all");
  line.add("Measurement", "batch", "N", "images a call (default: 1)");
  line.add("Measurement", "repeats", "N", "blocks of each model, at least 3 (default: 3)");
  add_meter_options(line);
}

std::vector<Engine> engines_named(const CommandLine& line, const std::string& name) {
  if (name == "all") return {Engine::plan, Engine::eager};
  for (const Engine engine : {Engine::plan, Engine::eager}) {
    if (name == to_string(engine)) return {engine};
  }
  line.fail(concat("--engine must be plan, eager or all; got '", name, "'"));
}

Settings read_settings(const CommandLine& line) {
  Settings out;
  out.runs = run_folders(line);
  if (line.has("engine")) out.engines = engines_named(line, line.text("engine"));
  if (line.has("batch")) out.batch = line.integer("batch", 1);
  if (line.has("repeats")) out.repeats = line.integer("repeats", 3);
  return out;
}

/// Fills in everything of a row that does not take a clock.
Row judge(const Contender& contender, const TestSet& test, const std::vector<Tensor>& batches,
          const std::function<void(const std::string&)>& log) {
  Predictor& predictor = *contender.predictor;
  Recorder recorder(predictor);
  const Evaluation evaluation = evaluate(recorder, test.images, test.labels);
  // This is the warm-up too: a whole pass of the very calls that will be timed.
  const Agreement agreement = check_agreement(predictor, batches, recorder.recorded(), test.numbers);
  Row row;
  row.dataset = predictor.dataset();
  row.model = predictor.name();
  row.engine = to_string(contender.engine);
  row.precision = contender.precision;
  row.sparsity = contender.sparsity;
  const auto log_agreement = [&](const char* with, const Agreement& found) {
    log(concat(title_of(row), ": ", found.images, " images checked ", with, ", largest difference ",
               found.max_difference, ", ", found.ties, " on an edge by rounding"));
  };
  log_agreement("with its evaluation", agreement);
  if (contender.reference) {
    Recorder modules(*contender.reference);
    static_cast<void>(evaluate(modules, test.images, test.labels));
    log_agreement("with the modules", check_agreement(predictor, batches, modules.recorded(), test.numbers));
  }
  row.batch = batches.front().size(0);
  row.threads = num_threads();
  row.images = evaluation.images;
  if (std::isfinite(evaluation.accuracy)) row.accuracy = evaluation.accuracy;
  row.exit_rates = evaluation.exit_rates;
  row.macs_by_exit = predictor.macs_by_exit();
  row.macs_mean = evaluation.mean_macs;
  row.weight_bytes = predictor.weight_bytes();
  return row;
}

/// Shows a bar over the blocks of one run, all of about the same length.
class BlockProgress {
 public:
  BlockProgress(ProgressBar& bar, std::size_t subjects, std::int64_t rounds)
      : bar_(bar), blocks_(static_cast<std::int64_t>(subjects) * rounds) {}

  void before(const std::string& subject, std::int64_t round) {
    const double fraction = static_cast<double>(done_) / static_cast<double>(blocks_);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    const double left_s = done_ > 0 ? seconds / fraction - seconds : 1.2 * static_cast<double>(blocks_);
    bar_.update(concat("timing ", subject, ", block ", round + 1), fraction,
                concat("  ", duration_text(left_s), " left"), true);
    ++done_;
  }

 private:
  ProgressBar& bar_;
  std::int64_t blocks_;
  std::int64_t done_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

Report measure_runs(const Settings& settings, const CommandLine& line, ProgressBar& bar, int& exit_code) {
  const auto log = [&](const std::string& text) { bar.say(text); };
  const HostRecord host = record_host();
  const std::unique_ptr<energy::Meter> meter = chosen_meter(line, host.host);
  ProtocolOptions protocol;
  protocol.rounds = settings.repeats;

  Report report{
      host, meter->describe(), timer_cost_ns(), protocol.min_block_s, protocol.rounds, kOrderSeed, {}, {}};
  // A wrong folder is found before anything is timed.
  std::vector<Contenders> loaded;
  for (const std::string& run : settings.runs) {
    loaded.push_back(load_contenders(run, settings.engines));
    const std::vector<LeftOut>& left_out = loaded.back().left_out;
    warn_of_unusable("cbnet_bench", run, loaded.back().unusable);
    exit_code = std::max(exit_code, exit_code_for(loaded.back().unusable));
    report.left_out.insert(report.left_out.end(), left_out.begin(), left_out.end());
  }
  for (std::size_t r = 0; r < loaded.size(); ++r) {
    log(concat("run ", settings.runs[r]));
    const std::vector<Contender>& contenders = loaded[r].timed;
    const data::Dataset files =
        data::load_dataset(line.source(contenders.front().predictor->dataset()), data::Splits::test);
    for (const Contender& contender : contenders)
      require_fits(contender.predictor->info(), files.test, files);
    require_unseen(RunFolder(settings.runs[r]), files);
    TestSet test = shuffled(files.test, kOrderSeed);
    test.batch = settings.batch;
    std::optional<BlockProgress> progress;
    protocol.progress = [&](const std::string& model, std::int64_t round) {
      if (!progress) progress.emplace(bar, contenders.size(), settings.repeats);
      progress->before(model, round);
    };
    for (Row& row : measure(contenders, test, *meter, protocol, log)) {
      row.run = settings.runs[r];
      row.device = to_string(compute_device());
      report.rows.push_back(std::move(row));
    }
  }
  return report;
}

}  // namespace

TestSet shuffled(const data::Split& test, std::uint64_t seed) {
  TestSet out;
  out.numbers.resize(static_cast<std::size_t>(test.size()));
  std::iota(out.numbers.begin(), out.numbers.end(), std::int64_t{0});
  Rng(seed).shuffle(std::span<std::int64_t>(out.numbers));
  out.images = Tensor::empty(test.images.shape(), DType::u8);
  out.labels = Tensor::empty(test.labels.shape(), DType::u8);
  for (std::size_t i = 0; i < out.numbers.size(); ++i) {
    const auto to = static_cast<std::int64_t>(i);
    out.images.select(0, to).copy_from(test.images.select(0, out.numbers[i]));
    out.labels.select(0, to).copy_from(test.labels.select(0, out.numbers[i]));
  }
  return out;
}

std::vector<Tensor> in_batches(const Tensor& images, std::int64_t batch) {
  std::vector<Tensor> out;
  for (std::int64_t begin = 0; begin < images.size(0); begin += batch) {
    out.push_back(images.slice(0, begin, std::min(begin + batch, images.size(0))));
  }
  return out;
}

std::vector<Row> measure(const std::vector<Contender>& contenders, const TestSet& test, energy::Meter& meter,
                         const ProtocolOptions& protocol,
                         const std::function<void(const std::string&)>& log) {
  const std::vector<Tensor> batches = in_batches(test.images, std::min(test.batch, test.images.size(0)));
  std::vector<Row> rows;
  std::vector<Subject> subjects;
  for (const Contender& contender : contenders) {
    rows.push_back(judge(contender, test, batches, log));
    subjects.push_back(
        {title_of(rows.back()), static_cast<std::int64_t>(batches.size()), [&](std::int64_t call) {
           const Tensor& images = batches[static_cast<std::size_t>(call)];
           contender.predictor->run(images);
           return images.size(0);
         }});
  }
  std::vector<std::vector<Block>> blocks = time_blocks(subjects, meter, protocol);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].latency = summarise_latency(blocks[i]);
    rows[i].energy = summarise_energy(blocks[i]);
    rows[i].blocks = std::move(blocks[i]);
  }
  return rows;
}

int run_table2(const std::vector<std::string>& words) {
  CommandLine line(kManual);
  declare(line);
  if (!line.parse(words, false)) return 0;
  const Settings settings = read_settings(line);
  int exit_code = 0;
  const Report report = [&] {
    ProgressBar bar(std::cerr, std::cerr, ::isatty(STDERR_FILENO) != 0, line.quiet());
    return measure_runs(settings, line, bar, exit_code);
  }();
  std::cout << table2_text(report);
  write_report(line.json_file(), report_json(report));
  return exit_code;
}

}  // namespace cbnet::bench
