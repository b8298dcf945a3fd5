// Measures images a second in training, this engine and LibTorch by turns, with the same weights, batches and
// losses.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <iostream>

#include "bench/peers/network_set.h"
#include "bench/peers/train_engine.h"
#include "bench/statistics.h"
#include "console/options.h"
#include "console/output.h"
#include "console/run_main.h"
#include "data/dataset.h"
#include "models/network.h"
#include "models/zoo.h"
#include "tensor/cpu/blas.h"
#include "tensor/error.h"

namespace cbnet::bench {
namespace {

constexpr Manual kManual{
    "bench_train", "", "[options]",
    "Trains LeNet (batch 512, cross entropy) and the MNIST autoencoder (batch 256, its recipe's loss) with\n"
    "Adam, in this engine and in LibTorch: first from the same weights on the same batches, comparing every\n"
    "loss, then in timed blocks by turns. A step gathers its batch from bytes and ends with Adam.\n",
    R"(Examples:
  scripts/bench-train --json train.json
  scripts/bench-train --threads 1
)"};

using Clock = std::chrono::steady_clock;

/// Rounding alone tells the engines apart, and training amplifies it: Adam's first steps have the sign of
/// each gradient, however small.
constexpr double kLossTolerance = 2e-3;
constexpr std::int64_t kComparedSteps = 10;

std::vector<std::int64_t> first_of_each_class(const Tensor& labels) {
  std::vector<std::int64_t> first(ImageTask().classes, -1);
  for (std::int64_t i = labels.size(0); i-- > 0;) first[static_cast<std::size_t>(labels.at({i}))] = i;
  return first;
}

Training make_training(const std::string& model, const data::Split& split) {
  Training out;
  out.model = model;
  out.images = split.images;
  out.labels = split.labels;
  out.recipe = default_recipe("mnist");
  out.reconstructs = model == "autoencoder";
  out.network = out.reconstructs ? autoencoder_spec("mnist", OutputActivation::sigmoid) : lenet_spec();
  out.batch_size = out.reconstructs ? 256 : 512;
  out.targets = first_of_each_class(split.labels);
  for (const auto& [name, tensor] : Network(out.network, 1).state_dict())
    out.weights.emplace_back(name, tensor.clone());
  return out;
}

/// Any network learns the labels that pictures were given at random.
Training make_training(const std::string& given) {
  constexpr std::int64_t kBatch = 128, kBatches = 4;
  const peers::PeerModel model = peers::given_model(given, 1);
  if (!model.classifies())
    throw InputError(given, "a network that ends in one row of numbers", "another", "the loss takes classes");
  Training out;
  out.model = model.name;
  out.network = model.spec;
  out.weights = model.weights;
  out.batch_size = kBatch;
  const std::int64_t n = kBatch * kBatches;
  Tensor pixels = peers::pictures(1, n, model.spec.input);
  float* p = pixels.data<float>();
  std::transform(p, p + pixels.numel(), p, [](float v) { return v * 255.0F; });
  out.images = pixels.to(DType::u8);
  Rng rng(1);
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < n; ++i)
    labels.push_back(static_cast<std::int64_t>(rng.uniform() * static_cast<double>(model.width)));
  out.labels = Tensor::from(labels, {n}).to(DType::u8);
  return out;
}

struct Engine {
  const char* name;
  std::unique_ptr<TrainEngine> trains;
  // There is one per block, and one per second of processor time, where other programs want the cores too:
  // with one thread it is the better of the two then, with more it counts waiting as work.
  std::vector<double> images_per_s, images_per_cpu_s;
};

/// Returns the largest relative difference of the two engines' losses. Throws where they part.
double compare_losses(const Training& training, std::vector<Engine>& engines) {
  double max = 0.0;
  const std::int64_t whole = training.labels.size(0) / training.batch_size;
  for (std::int64_t i = 0; i < kComparedSteps; ++i) {
    const double ours = engines[0].trains->step(i % whole);
    const double theirs = engines[1].trains->step(i % whole);
    const double difference = std::abs(ours - theirs) / std::abs(theirs);
    if (!(difference <= kLossTolerance)) {
      throw std::runtime_error(concat(training.model, ": the losses of step ", i + 1, " differ: ", ours,
                                      " and ", theirs, ", by ", difference, " of it; at most ",
                                      kLossTolerance, " is rounding"));
    }
    max = std::max(max, difference);
  }
  return max;
}

void time_block(const Training& training, Engine& engine, std::int64_t first, std::int64_t batches) {
  const std::int64_t whole = training.labels.size(0) / training.batch_size;
  engine.trains->step(first % whole);  // threads awake, caches its own
  const Clock::time_point start = Clock::now();
  const std::clock_t cpu_start = std::clock();
  for (std::int64_t b = 0; b < batches; ++b) engine.trains->step((first + b) % whole);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const double cpu_seconds = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
  const auto images = static_cast<double>(batches * training.batch_size);
  engine.images_per_s.push_back(images / seconds);
  engine.images_per_cpu_s.push_back(images / cpu_seconds);
}

std::vector<double> divide(const std::vector<double>& above, const std::vector<double>& below) {
  std::vector<double> out;
  for (std::size_t i = 0; i < above.size(); ++i) out.push_back(above[i] / below[i]);
  return out;
}

Json measure(const Training& training, int threads, std::int64_t rounds, std::int64_t batches, Table& table) {
  std::vector<Engine> engines;
  engines.push_back({"cbnet", make_cbnet_engine(training), {}, {}});
  engines.push_back({"libtorch", make_torch_engine(training), {}, {}});
  // An engine at rest must not widen the other's regions: OpenBLAS asks OpenMP how many threads there are.
  const auto turn = [&](std::size_t e) {
    engines[1].trains->use_threads(e == 1 ? threads : 1);
    engines[0].trains->use_threads(threads);
  };
  turn(0);
  const double difference = compare_losses(training, engines);
  for (std::int64_t round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < engines.size(); ++i) {
      const std::size_t e = round % 2 == 0 ? i : engines.size() - 1 - i;
      turn(e);
      time_block(training, engines[e], round * batches, batches);
    }
  }
  const std::vector<double> ratios = divide(engines[0].images_per_s, engines[1].images_per_s);
  const std::vector<double> cpu_ratios = divide(engines[0].images_per_cpu_s, engines[1].images_per_cpu_s);
  Json out{{"model", training.model},
           {"batch_size", training.batch_size},
           {"threads", threads},
           {"rounds", rounds},
           {"batches_per_block", batches},
           {"loss_difference", difference},
           {"ratio", median(ratios)},
           {"ratio_low", *std::min_element(ratios.begin(), ratios.end())},
           {"ratio_high", *std::max_element(ratios.begin(), ratios.end())},
           {"cpu_ratio", median(cpu_ratios)}};
  std::vector<std::string> row{training.model, std::to_string(training.batch_size), std::to_string(threads)};
  for (const Engine& engine : engines) {
    const auto [low, high] = std::minmax_element(engine.images_per_s.begin(), engine.images_per_s.end());
    const double middle = median(engine.images_per_s);
    out["engines"].push_back({{"engine", engine.name},
                              {"images_per_s", middle},
                              {"low", *low},
                              {"high", *high},
                              {"images_per_cpu_s", median(engine.images_per_cpu_s)}});
    row.push_back(grouped(std::llround(middle)));
    row.push_back("[" + grouped(std::llround(*low)) + "-" + grouped(std::llround(*high)) + "]");
    row.push_back(grouped(std::llround(median(engine.images_per_cpu_s))));
  }
  row.push_back(fixed(median(ratios), 2));
  row.push_back(fixed(median(cpu_ratios), 2));
  table.add(std::move(row));
  return out;
}

int run(const std::vector<std::string>& words) {
  CommandLine line(kManual);
  line.add_dataset_options("mnist (the default)");
  line.add("Measurement", "model", "M", "lenet or autoencoder (default: both)");
  line.add("Measurement", "network", "NAME|FILE",
           "any network, as `cbnet_peers run` takes them, instead: batches of 128, one thread");
  line.add("Measurement", "rounds", "N", "blocks of each engine (default: 5)");
  line.add("Measurement", "batches", "N", "batches of a block (default: 20)");
  if (!line.parse(words, false)) return 0;
  if (line.has("dataset") && line.text("dataset") != "mnist")
    line.fail(concat("--dataset expects mnist, which Table I's autoencoder is for; got '",
                     line.text("dataset"), "'"));
  const std::vector<std::string> models = {"lenet", "autoencoder"};
  if (line.has("model") && std::find(models.begin(), models.end(), line.text("model")) == models.end())
    line.fail(concat("--model expects lenet or autoencoder; got '", line.text("model"), "'"));
  const std::int64_t rounds = line.has("rounds") ? line.integer("rounds", 1, 1'000) : 5;
  const std::int64_t batches = line.has("batches") ? line.integer("batches", 1, 100'000) : 20;
  if (blas_description().find("USE_OPENMP") == std::string::npos) {
    throw std::invalid_argument(
        concat("expected the OpenMP build of OpenBLAS, without which LibTorch's threads fight; "
               "found ",
               blas_description(), "; hint: scripts/bench-train loads it"));
  }

  Json report = machine_json(line.device());
  report["peer"] = torch_description();
  Table table({"model", "batch", "threads", "cbnet, images/s", "", "per CPU s", "LibTorch", "", "per CPU s",
               "ratio", "by CPU s"},
              1);
  if (line.has("network")) {
    if (line.has("model")) line.fail("--model and --network do not go together");
    const Training training = make_training(line.text("network"));
    try {
      const int threads = line.has("threads") ? static_cast<int>(line.integer("threads")) : 1;
      report["trainings"].push_back(measure(training, threads, rounds, batches, table));
    } catch (const MissingLayer& error) {
      // Which layer it is stands in the report.
      report["trainings"].push_back({{"model", training.model}, {"why", error.what()}});
    }
    table.print(std::cout);
    write_report(line.json_file(), report);
    return 0;
  }
  const data::Dataset dataset = data::load_dataset(data::DatasetId::mnist, line.location());
  for (const std::string& model : models) {
    if (line.has("model") && model != line.text("model")) continue;
    const Training training = make_training(model, dataset.train);
    for (const int threads : {1, 2}) {
      if (line.has("threads") && threads != line.integer("threads")) continue;
      report["trainings"].push_back(measure(training, threads, rounds, batches, table));
    }
  }
  table.print(std::cout);
  write_report(line.json_file(), report);
  return 0;
}

}  // namespace
}  // namespace cbnet::bench

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return cbnet::run_main("bench_train", [&] { return cbnet::bench::run(words); });
}
