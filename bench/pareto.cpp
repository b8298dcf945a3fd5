#include "bench/pareto.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>

#include "bench/meters.h"
#include "bench/table2.h"
#include "cbnet/compression.h"
#include "cbnet/pipeline.h"
#include "cbnet/stages.h"
#include "console/options.h"
#include "console/progress.h"
#include "runtime/plan_file.h"
#include "tensor/error.h"
#include "tensor/io.h"

namespace cbnet::bench {
namespace {

constexpr std::uint64_t kOrderSeed = 2024, kRandomStream = 1, kEvolutionStream = 2;

constexpr Manual kManual{
    "cbnet_bench", "pareto", "--dataset D [options]",
    "Searches small networks for the best validation accuracies at each time of an image: at random and by\n"
    "evolution, with as many trainings each. Interrupted, it continues where it was.\n",
    R"(Each network is trained as --config says ("network"), compiled in int8 too, and timed, batch 1. At the
end everything is timed once more in turns, with the models of the runs that --run names, which must
be of the same seed: they are judged on its validation images, too.

Examples:
  cbnet_bench pareto --dataset mnist --trainings 8 --threads 1 --plot front.svg --json front.json
  cbnet_bench pareto --dataset fmnist --run runs/fmnist --config short.json --threads 1
)"};

struct Settings {
  std::string out;
  std::int64_t trainings = 8;
  std::uint64_t seed = 1;
  Recipe recipe;
  std::vector<std::string> runs;
};

void declare(CommandLine& line) {
  line.add_dataset_options("mnist, fmnist, kmnist or cifar10");
  line.add("Search", "trainings", "N", "networks that each search trains (default: 8)");
  line.add("Search", "out", "DIR", "folder for the models (default: runs/pareto-<dataset>)");
  line.add("Search", "seed", "N", "of every training (default: 1)");
  line.add("Search", "config", "FILE", "changes to the recipe, as JSON, like that of `cbnet train`");
  line.add_list("Search", "run", "RUN", "a run folder whose models are drawn beside; may be repeated");
  line.add_output("Search", "plot", "FILE", "the front as SVG");
  add_meter_options(line);
}

/// Does the trainings and the measurements.
class Search {
 public:
  Search(const Settings& settings, const data::Dataset& dataset, energy::Meter& meter, ProgressBar& bar)
      : settings_(settings), dataset_(dataset), meter_(meter), bar_(bar) {
    const auto held_out =
        training_split(dataset.train.labels, settings.recipe.validation_fraction, settings.seed).validation;
    validation_ =
        shuffled({data::gather(dataset.train.images, held_out), data::gather(dataset.train.labels, held_out)},
                 kOrderSeed);
  }

  std::vector<ParetoPoint> run() {
    const ImageTask task{dataset_.train.image_shape(), static_cast<std::int64_t>(dataset_.classes.size())};
    Rng random(settings_.seed, kRandomStream), evolution(settings_.seed, kEvolutionStream);
    for (std::int64_t i = 0; i < settings_.trainings; ++i) add("random", random_candidate(random), task);
    // The first half of what evolution knows is random, too; then it changes a member of its front.
    for (std::int64_t i = 0; i < settings_.trainings; ++i) {
      Candidate next = random_candidate(evolution);
      if (i >= std::min<std::int64_t>(settings_.trainings / 2, 4)) next = child(evolution);
      add("evolution", next, task);
    }
    return measured();
  }

 private:
  struct Known {
    std::string search;
    Candidate candidate;
    std::vector<ParetoPoint> points;
  };

  /// Changes a member of evolution's front into one that it does not know.
  Candidate child(Rng& rng) const {
    std::vector<ParetoPoint> points;
    for (const Known& known : known_)
      if (known.search == "evolution") points.insert(points.end(), known.points.begin(), known.points.end());
    const std::vector<ParetoPoint> front = front_of(points);
    const ParetoPoint& parent =
        front[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(front.size())))];
    const auto known = std::find_if(known_.begin(), known_.end(), [&](const Known& one) {
      return one.search == "evolution" && parent.name.starts_with(name_of(one.candidate) + ",");
    });
    Candidate out = mutated(known->candidate, rng);
    while (std::any_of(known_.begin(), known_.end(),
                       [&](const Known& one) { return one.search == "evolution" && one.candidate == out; }))
      out = mutated(out, rng);
    return out;
  }

  RunFolder folder(const Candidate& candidate) const {
    return RunFolder(std::filesystem::path(settings_.out) / name_of(candidate));
  }

  /// Trains and compiles what is not there yet, and reads or takes its time.
  void add(const std::string& search, const Candidate& candidate, const ImageTask& task) {
    const std::string name = name_of(candidate);
    const RunFolder at = folder(candidate);
    bar_.say(concat(search, ": ", name));
    PipelineOptions options;
    options.recipe = settings_.recipe;
    options.seed = settings_.seed;
    options.model = name;
    options.network = OtherNetwork{name, spec_of(candidate, task), {}};
    options.resume = true;
    options.progress = [this](const Progress& progress) { bar_.update(progress); };
    run_pipeline(dataset_, at, options);
    CompressionOptions int8;
    int8.precision = runtime::Precision::int8;
    const auto plan = at.path() / (name + ".int8.plan");
    if (!std::filesystem::exists(plan)) runtime::save_graph(plan, compress(at, name, dataset_, int8));
    // The times that evolution chose by are kept, so that a search that is resumed chooses the same.
    const auto times = at.path() / "times.json";
    if (!std::filesystem::exists(times)) {
      const Contenders contenders = load_contenders(at.path().string(), {Engine::plan});
      write_file_atomic(
          times, pareto_json(points_of(contenders.timed, search, 1), dataset_.name, settings_.seed).dump());
    }
    Known known{search, candidate, {}};
    const Json record = parse_json(read_file(times));
    for (const Json& row : record.at("rows")) {
      known.points.push_back({row.at("name").get<std::string>(), search,
                              row.at("validation_accuracy").get<double>(),
                              row.at("latency_us").get<double>()});
      bar_.say(concat("  ", known.points.back().name, ": ", fixed(100 * known.points.back().accuracy, 2),
                      " %, ", fixed(known.points.back().latency_us, 2), " us"));
    }
    known_.push_back(std::move(known));
  }

  std::vector<ParetoPoint> points_of(const std::vector<Contender>& contenders, const std::string& search,
                                     std::int64_t rounds) {
    ProtocolOptions protocol;
    protocol.rounds = rounds;
    protocol.min_block_s = 0.1;
    std::vector<ParetoPoint> out;
    for (const Row& row : measure(contenders, validation_, meter_, protocol, [](const std::string&) {}))
      out.push_back(
          {concat(row.model, ", ", row.precision), search, row.accuracy.value_or(0.0), row.latency.mean});
    return out;
  }

  /// Times all that were trained and the runs' models in turns.
  std::vector<ParetoPoint> measured() {
    std::vector<Contender> contenders;
    std::vector<std::string> searches, folders;
    const auto take = [&](const std::string& run, const std::string& search) {
      if (std::find(folders.begin(), folders.end(), run) != folders.end()) return;
      folders.push_back(run);
      for (Contender& contender : load_contenders(run, {Engine::plan}).timed) {
        if (contender.predictor->name() == "autoencoder") continue;  // it does not classify
        contenders.push_back(std::move(contender));
        searches.push_back(search);
      }
    };
    for (const Known& known : known_) take(folder(known.candidate).path().string(), known.search);
    for (const std::string& run : settings_.runs) take(run, "baseline");
    std::vector<ParetoPoint> out = points_of(contenders, "", 5);
    for (std::size_t i = 0; i < out.size(); ++i) out[i].search = searches[i];
    return out;
  }

  const Settings& settings_;
  const data::Dataset& dataset_;
  energy::Meter& meter_;
  ProgressBar& bar_;
  TestSet validation_;
  std::vector<Known> known_;
};

Settings read_settings(const CommandLine& line, const data::Source& source) {
  Settings out;
  const std::string dataset = source.id ? data::to_string(*source.id) : "pictures";
  out.out = line.has("out") ? line.text("out") : concat("runs/pareto-", dataset);
  if (line.has("trainings")) out.trainings = line.integer("trainings", 1);
  if (line.has("seed")) out.seed = line.unsigned_integer("seed");
  out.recipe = default_recipe(source.id ? dataset : "", "mlp-192");
  if (line.has("config")) {
    const std::string file = line.text("config");
    out.recipe = recipe_from_json(read_file(file, std::size_t{1} << 20), out.recipe, file);
  }
  if (line.has("run")) out.runs = line.list("run");
  return out;
}

}  // namespace

int run_pareto(const std::vector<std::string>& words) {
  CommandLine line(kManual);
  declare(line);
  if (!line.parse(words, false)) return 0;
  const data::Source source = line.source();
  const Settings settings = read_settings(line, source);
  const data::Dataset dataset = data::load_dataset(source);
  const std::unique_ptr<energy::Meter> meter = chosen_meter(line, record_host().host);
  const std::vector<ParetoPoint> points = [&] {
    ProgressBar bar(std::cerr, std::cerr, ::isatty(STDERR_FILENO) != 0, line.quiet());
    return Search(settings, dataset, *meter, bar).run();
  }();
  Table table({"front", "search", "validation accuracy, %", "latency, us"}, 2);
  for (const ParetoPoint& point : front_of(points))
    table.add({point.name, point.search, fixed(100 * point.accuracy, 2), fixed(point.latency_us, 2)});
  table.print(std::cout);
  const std::string title =
      concat(dataset.name, ", seed ", settings.seed, ": validation accuracy against time");
  if (line.has("plot")) write_file_atomic(line.text("plot"), pareto_svg(points, title));
  write_report(line.json_file(), pareto_json(points, dataset.name, settings.seed));
  return 0;
}

}  // namespace cbnet::bench
