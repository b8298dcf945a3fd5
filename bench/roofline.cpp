#include "bench/roofline.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>

#include "bench/records.h"
#include "bench/report.h"
#include "cbnet/plan_predictor.h"
#include "cbnet/predictor.h"
#include "console/options.h"
#include "console/output.h"
#include "console/progress.h"
#include "console/run_models.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

namespace cbnet::bench {
namespace {

constexpr Manual kManual{
    "cbnet_bench", "roofline", "[--run RUN] [--model M] [--plan FILE] [options]",
    "Times each step of the plan of each model on its own, on one core, one image and a tile of images\n"
    "at a time, beside the peaks of arithmetic and of memory that were measured just before.\n",
    R"(Without --run the weights are random: they do not change what a step costs.

Examples:
  cbnet_bench roofline
  cbnet_bench roofline --model lenet --model autoencoder-mnist --json roofline.json
  cbnet_bench roofline --run runs/fmnist --model cbnet
  cbnet_bench roofline --plan runs/fmnist/autoencoder.int8.plan
)"};

constexpr const char* kExplained =
    R"(Bytes: weights, and what is read and written of each image. Of limit: the least time over the measured one,
by arithmetic at its peak, that of bytes for int8, (a) or by bytes at the bandwidth of a buffer of that size
(m). Each step runs again and again on its own, on ones (bytes: 255), so that its weights are in the nearest
cache that holds them and all are read; "all of it" is the whole plan, on noise. Winograd's algorithm
multiplies less often than the MACs say, and can exceed the limit.
)";

/// A step, or the whole plan, was timed at one number of images.
struct Subject {
  std::int64_t images = 1;
  Work work;
  Timing timing;
};

Json point_json(const Subject& subject, const MachineLimits& limits) {
  const std::optional<Floor> floor = floor_of(subject.work, limits);
  Json out{{"batch", subject.images}};
  out.update(timing_json(subject.timing, floor, subject.images));
  // One a µs is a million a second.
  out["gmac_per_s"] = 1e-3 * (subject.work.macs + subject.work.int8_macs) / subject.timing.us;
  out["gb_per_s"] = 1e-3 * subject.work.bytes / subject.timing.us;
  out["share"] = floor ? Json(floor->us / subject.timing.us) : Json();
  return out;
}

/// Holds the plan of one network, and the tasks that run its steps.
class Case {
 public:
  Case(const BenchNetwork& network, std::uint64_t seed)
      : Case(network.name, network.cost().macs, network.cost().parameters, network.graph(), seed) {
    const std::vector<float> expected = network.answer(images_);
    const double all = check_plan(plan_, workspace_, images_, expected, name_);
    const std::vector<float> first(
        expected.begin(),
        expected.begin() +
            static_cast<std::ptrdiff_t>(expected.size() / static_cast<std::size_t>(images_.size(0))));
    error_ = std::max(all, check_plan(plan_, workspace_, images_.slice(0, 0, 1), first, name_));
  }

  /// Loads a compiled plan, which has no modules to be compared with.
  Case(const std::string& file, std::uint64_t seed) : Case(load_compiled_graph(file), seed) {}

  /// Adds steps at one image and at a tile, then the whole plan.
  void add_tasks(std::vector<Task>& tasks) {
    for (const std::int64_t images : {std::int64_t{1}, plan_.tile_images()}) {
      Work all;
      for (std::size_t i = 0; i < steps_.size(); ++i) {
        const bool whole = i + 1 == steps_.size();
        const Work work = whole ? all : step_work(steps_[i], images);
        all.macs += work.macs;
        all.int8_macs += work.int8_macs;
        all.bytes += work.bytes;
        subjects_.push_back({images, work, {}});
        tasks.push_back({name_, [this, i, images, whole] {
                           if (whole) {
                             static_cast<void>(plan_.run(images_.data<std::uint8_t>(), images, workspace_));
                             filled_ = kNoStep;
                             return;
                           }
                           if (std::exchange(filled_, i) != i) plan_.fill_step(i, images, workspace_);
                           plan_.run_step(i, images, workspace_);
                         }});
      }
    }
  }

  /// Returns up to which size bandwidths have to be known.
  double largest_bytes() const {
    double out = 0.0;
    for (const Subject& subject : subjects_) out = std::max(out, subject.work.bytes);
    return out;
  }

  /// Takes its part of the timings, from the front.
  void take(std::vector<Timing>::const_iterator& timings) {
    for (Subject& subject : subjects_) subject.timing = *timings++;
  }

  Json json(const MachineLimits& limits) const {
    Json steps = Json::array();
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const StepInfo& step = steps_[i];
      steps.push_back(
          {{"step", step.name},
           {"macs", step.macs},
           {"weight_bytes", step.weight_bytes},
           {"activation_bytes", step.activation_bytes},
           {"winograd", step.winograd},
           {"int8", step.int8},
           {"points", {point_json(subjects_[i], limits), point_json(subjects_[i + steps_.size()], limits)}}});
    }
    Json whole = steps.back();
    steps.erase(steps.size() - 1);
    return {{"model", name_},
            {"macs", macs_},
            {"parameters", parameters_},
            {"tile_images", plan_.tile_images()},
            {"error", error_ ? Json(*error_) : Json()},
            {"steps", std::move(steps)},
            {"whole", std::move(whole)}};
  }

 private:
  using StepInfo = runtime::StepInfo;

  Case(const std::string& name, std::int64_t macs, std::int64_t parameters, const runtime::Graph& graph,
       std::uint64_t seed)
      : name_(name),
        macs_(macs),
        parameters_(parameters),
        plan_(graph),
        workspace_(plan_),
        steps_(plan_.steps()),
        images_(noise_images(plan_.tile_images(), graph.input, plan_.tile_images(), seed)) {
    StepInfo all{"all of it"};
    for (const StepInfo& step : steps_) {
      all.macs += step.macs;
      all.weight_bytes += step.weight_bytes;
      all.activation_bytes += step.activation_bytes;
    }
    steps_.push_back(all);
  }

  Case(const CompiledGraph& compiled, std::uint64_t seed)
      : Case(title_of(compiled.info), compiled.info.macs_by_exit.back(), compiled.info.parameter_count,
             without_exits(compiled.graph), seed) {}

  static runtime::Graph without_exits(runtime::Graph graph) {
    for (runtime::Exit& exit : graph.exits) exit.threshold = 0.0;  // no entropy is below
    return graph;
  }

  std::string name_;
  std::int64_t macs_, parameters_;  // of the network as it was built
  runtime::Plan plan_;
  runtime::Workspace workspace_;
  std::vector<StepInfo> steps_;  // the last is the whole plan
  Tensor images_;
  std::optional<double> error_;
  std::vector<Subject> subjects_;
  static constexpr std::size_t kNoStep = static_cast<std::size_t>(-1);
  std::size_t filled_ = kNoStep;  // the step that the workspace holds ones for
};

std::vector<std::string> cells(const Json& step, const std::string& name) {
  std::vector<std::string> out = {name, grouped(step.at("macs")), grouped(step.at("weight_bytes")),
                                  grouped(step.at("activation_bytes"))};
  for (const Json& point : step.at("points")) {
    out.push_back(time_cell(point));
    out.push_back(step.at("macs") == 0 ? "-" : fixed(number_at(point, "gmac_per_s"), 1));
    out.push_back(fixed(number_at(point, "gb_per_s"), 1));
    const std::optional<double> fraction = number_at(point, "share");
    out.push_back(
        fraction ? concat(fixed(100.0 * *fraction, 0), " % ", point.at("floor_by") == "memory" ? "m" : "a")
                 : "-");
  }
  return out;
}

std::string model_text(const Json& model) {
  const std::string tile = model.at("tile_images").dump();
  Table table({"", "", "weights,", "activations,", "batch 1", "", "", "", "batch " + tile, "", "", ""}, 1, 0);
  table.add({"step", "MACs", "bytes", "bytes", "µs", "GMAC/s", "GB/s", "of limit", "µs/image", "GMAC/s",
             "GB/s", "of limit"});
  for (const Json& step : model.at("steps")) {
    const std::string name = step.at("step");
    table.add(cells(step, step.at("winograd").get<bool>() ? name + " (Winograd)" : name));
  }
  table.add(cells(model.at("whole"), "all of it"));
  return concat(model.at("model").get<std::string>(), "\n", table.text());
}

}  // namespace

Work step_work(const runtime::StepInfo& step, std::int64_t images) {
  const auto n = static_cast<double>(images);
  const double macs = n * static_cast<double>(step.macs);
  return {step.int8 ? 0.0 : macs, step.int8 ? macs : 0.0,
          static_cast<double>(step.weight_bytes) + n * static_cast<double>(step.activation_bytes)};
}

Json measure_roofline(const std::vector<BenchNetwork>& networks, const std::vector<std::string>& plans,
                      const RooflineOptions& options) {
  require(num_threads() == 1, "roofline", "expected one thread; got ", num_threads());
  std::vector<std::unique_ptr<Case>> cases;
  cases.reserve(networks.size() + plans.size());
  for (const BenchNetwork& network : networks) cases.push_back(std::make_unique<Case>(network, options.seed));
  for (const std::string& file : plans) cases.push_back(std::make_unique<Case>(file, options.seed));
  std::vector<Task> tasks;
  double largest = 0.0;
  for (const auto& one : cases) {
    one->add_tasks(tasks);
    largest = std::max(largest, one->largest_bytes());
  }
  MachineLimits limits = measure_limits(active_isa(), octaves(largest));
  const std::vector<Timing> timings = time_in_turns(tasks, options.timing);
  limits = better(limits, measure_limits(active_isa(), octaves(largest)));
  auto next = timings.begin();
  Json models = Json::array();
  for (const auto& one : cases) {
    one->take(next);
    models.push_back(one->json(limits));
  }
  Json out = record_json("cbnet-roofline/1");
  out["method"] = {
      {"rounds", options.timing.rounds}, {"block_s", options.timing.block_s}, {"seed", options.seed}};
  out["limits"] = to_json(limits);
  out["models"] = std::move(models);
  return out;
}

std::string roofline_text(const Json& report) {
  check_schema(report, "cbnet-roofline/1");
  try {
    const Json& limits = report.at("limits");
    const auto peak = [&](const char* key) {
      const std::optional<double> rate = number_at(limits, key);
      return rate ? concat(fixed(*rate, 1), "e9") : std::string("an unknown number");
    };
    std::string out = concat("One core, ISA ", report.at("host").at("isa").get<std::string>(),
                             ". Multiply-adds (MACs) a second: at most ", peak("fma_gmac_per_s"), " in f32, ",
                             peak("int8_gmac_per_s"), " of bytes.\n", kExplained);
    for (const Json& model : report.at("models")) out += "\n" + model_text(model);
    out += disturbed_note(out);
    return out;
  } catch (const Json::exception& error) {
    throw InputError("a record of `cbnet_bench roofline`", "every field that its table shows", error.what());
  }
}

int run_roofline(const std::vector<std::string>& words) {
  CommandLine line(kManual);
  line.add("Models", "run", "RUN", "the models of this run folder (default: random weights)");
  line.add_list("Models", "model", "M",
                "this one alone; may be repeated (default: all of the run; without --run all but\n"
                "CBNets, whose steps are those of their halves)");
  line.add_list("Models", "plan", "FILE",
                "a plan that `cbnet compile` wrote, after the others, or alone without --run and\n"
                "--model; may be repeated");
  declare_timing(line);
  if (!line.parse(words, false)) return 0;
  if (line.has("threads") && num_threads() != 1)
    line.fail("a roofline is of one core: --threads can only be 1");
  set_num_threads(1);
  RooflineOptions options;
  read_timing(line, options.timing);
  const std::string run = line.text("run");
  const std::vector<std::string> plans = line.has("plan") ? line.list("plan") : std::vector<std::string>();
  std::vector<std::string> names = line.has("run") ? models_in(run) : network_names();
  if (line.has("model")) {
    for (const std::string& name : line.list("model")) {
      if (std::find(names.begin(), names.end(), name) == names.end())
        line.fail(concat("no model '", name, "'", suggestion(name, names, "")));
    }
    names = line.list("model");
  } else if (!line.has("run") && !plans.empty()) {
    names.clear();
  } else if (!line.has("run")) {
    names.erase(std::remove_if(names.begin(), names.end(),
                               [](const auto& name) { return name.starts_with("cbnet"); }),
                names.end());
  }
  std::vector<BenchNetwork> networks;
  std::vector<UnusableModel> unusable;
  networks.reserve(names.size());
  for (const std::string& name : names) {
    try {
      networks.push_back(line.has("run") ? load_network(run, name) : make_network(name, options.seed));
    } catch (const std::exception& error) {
      if (line.has("model") || !line.has("run")) throw;
      unusable.push_back({name, error.what()});
    }
  }
  if (networks.empty() && plans.empty()) {
    if (!unusable.empty()) throw InputError(unusable.front().reason);
    throw InputError(run, "trained models", "none");
  }
  warn_of_unusable("cbnet_bench", run, unusable);
  const Json report = [&] {
    ProgressBar bar(std::cerr, std::cerr, ::isatty(STDERR_FILENO) != 0, line.quiet());
    show_progress(bar, options.timing);
    return measure_roofline(networks, plans, options);
  }();
  std::cout << roofline_text(report);
  write_report(line.json_file(), report);
  return exit_code_for(unusable);
}

}  // namespace cbnet::bench
