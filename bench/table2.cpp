#include "bench/table2.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iostream>
#include <numeric>

#include "bench/agreement.h"
#include "bench/options.h"
#include "bench/report_json.h"
#include "bench/runs.h"
#include "bench/table2_text.h"
#include "cbnet/evaluate.h"
#include "cbnet/run_folder.h"
#include "tensor/io.h"
#include "tensor/parallel.h"

namespace cbnet::bench {
namespace {

constexpr std::uint64_t kOrderSeed = 2024;

constexpr const char* kExamples =
    "  cbnet_bench table2 --run runs/fmnist\n"
    "  cbnet_bench table2 --run runs/mnist --run runs/fmnist --threads 1 --json table2.json\n"
    "  cbnet_bench table2 --run runs/fmnist --power-model pi4 --power-constants p_idle_w=2.5,p_peak_w=6.8\n";

struct Settings {
  CommonOptions common;
  std::vector<std::string> runs;
  std::int64_t batch = 1;
  std::int64_t repeats = 3;
  std::string power_model, power_constants;
};

std::optional<Settings> read_settings(const std::vector<std::string>& words) {
  cxxopts::Options options(
      "cbnet_bench table2",
      "Times the models of each run in turns, pixels in to label out, and prints latency, energy "
      "and accuracy beside the paper's Table II.\n");
  options.add_options()("run", "A run folder made by `cbnet train`; may be repeated",
                        cxxopts::value<std::vector<std::string>>(), "RUN");
  options.add_options()("batch", "Images a call", cxxopts::value<std::string>()->default_value("1"), "N");
  options.add_options()("repeats", "Blocks of each model, at least 3",
                        cxxopts::value<std::string>()->default_value("3"), "N");
  options.add_options()("power-model",
                        "auto, pi4, gci or none: what turns time and CPU utilisation into joules",
                        cxxopts::value<std::string>()->default_value("auto"), "NAME");
  options.add_options()("power-constants", "Constants of that model: n, N, p_idle_w, p_peak_w, beta",
                        cxxopts::value<std::string>()->default_value(""), "NAME=VALUE,…");
  add_common(options);
  const auto parsed = parse(options, words, kExamples);
  if (!parsed) return std::nullopt;
  if (parsed->count("run") == 0) {
    throw UsageError(
        "table2 needs --run; hint: `cbnet train --dataset fmnist --out runs/fmnist` makes a run");
  }
  Settings out;
  out.runs = (*parsed)["run"].as<std::vector<std::string>>();
  for (std::size_t i = 0; i < out.runs.size(); ++i) {
    if (std::find(out.runs.begin(), out.runs.begin() + static_cast<std::ptrdiff_t>(i), out.runs[i]) !=
        out.runs.begin() + static_cast<std::ptrdiff_t>(i)) {
      throw UsageError(concat("--run ", out.runs[i], " stands there twice"));
    }
  }
  out.batch = whole_number(*parsed, "batch", 1);
  out.repeats = whole_number(*parsed, "repeats", 3);
  out.power_model = (*parsed)["power-model"].as<std::string>();
  out.power_constants = (*parsed)["power-constants"].as<std::string>();
  out.common = apply_common(*parsed);
  return out;
}

/// Everything of a row that does not take a clock.
Row judge(Predictor& predictor, const TestSet& test, const std::vector<Tensor>& batches,
          const std::function<void(const std::string&)>& say) {
  Recorder recorder(predictor);
  const Evaluation evaluation = evaluate(recorder, test.images, test.labels);
  // Also the warm-up: a whole pass of the very calls that will be timed.
  const Agreement agreement = check_agreement(predictor, batches, recorder.recorded(), test.numbers);
  say(concat(predictor.name(), ": ", agreement.images, " images checked, largest difference ",
             agreement.max_difference, ", ", agreement.exit_ties, " at the threshold itself"));
  Row row;
  row.dataset = predictor.dataset();
  row.model = predictor.name();
  row.batch = batches.front().size(0);
  row.threads = num_threads();
  row.images = evaluation.images;
  if (std::isfinite(evaluation.accuracy)) row.accuracy = evaluation.accuracy;
  row.exit_rates = evaluation.exit_rates;
  row.macs_by_exit = predictor.macs_by_exit();
  row.macs_mean = evaluation.mean_macs;
  row.weight_bytes = 4 * predictor.parameter_count();
  return row;
}

Report measure_runs(const Settings& settings, const std::function<void(const std::string&)>& say) {
  const HostRecord host = record_host();
  const std::unique_ptr<energy::Meter> meter = energy::make_model_meter(
      energy::choose_model(host.host, settings.power_model, settings.power_constants), host.host);
  ProtocolOptions protocol;
  protocol.rounds = settings.repeats;
  protocol.progress = [&](const std::string& model, std::int64_t round) {
    say(concat("timing ", model, ", block ", round + 1, " of ", settings.repeats));
  };
  data::Location location;
  location.data_dir = settings.common.data_dir;
  location.progress = !settings.common.quiet;

  Report report{host, meter->describe(), timer_cost_ns(), protocol.min_block_s, protocol.rounds, kOrderSeed,
                {}};
  // A wrong folder is found before anything is timed.
  std::vector<std::vector<std::unique_ptr<Predictor>>> loaded;
  for (const std::string& run : settings.runs) loaded.push_back(load_models(run));
  for (std::size_t r = 0; r < loaded.size(); ++r) {
    say(concat("run ", settings.runs[r]));
    const data::TestSet files = data::load_test_set(dataset_id(loaded[r].front()->dataset()), location);
    const TestSet test = shuffled(files.split, kOrderSeed);
    for (Row& row : measure(loaded[r], test, settings.batch, *meter, protocol, say)) {
      row.run = settings.runs[r];
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

std::vector<Row> measure(const std::vector<std::unique_ptr<Predictor>>& predictors, const TestSet& test,
                         std::int64_t batch, energy::Meter& meter, const ProtocolOptions& protocol,
                         const std::function<void(const std::string&)>& say) {
  const std::vector<Tensor> batches = in_batches(test.images, std::min(batch, test.images.size(0)));
  std::vector<Row> rows;
  std::vector<Subject> subjects;
  for (const auto& predictor : predictors) {
    rows.push_back(judge(*predictor, test, batches, say));
    subjects.push_back({predictor->name(), static_cast<std::int64_t>(batches.size()), [&](std::int64_t call) {
                          const Tensor& images = batches[static_cast<std::size_t>(call)];
                          predictor->predict(images);
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
  const std::optional<Settings> settings = read_settings(words);
  if (!settings) return 0;
  const auto say = [&](const std::string& line) {
    if (!settings->common.quiet) std::cerr << line << "\n";
  };
  const Report report = measure_runs(*settings, say);
  std::cout << table2_text(report);
  if (!settings->common.json.empty()) write_file_atomic(settings->common.json, report_json(report));
  return 0;
}

}  // namespace cbnet::bench
