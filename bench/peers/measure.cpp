#include "bench/peers/measure.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <numeric>
#include <thread>

#include "bench/peers/bounds.h"
#include "bench/report.h"
#include "bench/statistics.h"
#include "bench/timing.h"
#include "console/output.h"
#include "energy/host.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tensor/process.h"

namespace cbnet::peers {
namespace {

namespace fs = std::filesystem;

/// These bound differences from the f64 reference: in f32 the largest, as a fraction of the largest output.
/// int8 is an approximation, of which single images may suffer: there the root mean square, as a fraction of
/// the outputs'. What it costs in accuracy is not judged here.
constexpr double kLargest = 1e-5, kRootMeanSquare = 0.05;
/// Networks of any depth round more often, and have all their layers in bytes.
constexpr double kAnyLargest = 1e-4, kAnyRootMeanSquare = 0.3;

/// A block whose main thread did not have its core is measured so often.
constexpr int kTries = 3;
/// This lets the thread pools of the engine before go to sleep.
constexpr std::chrono::milliseconds kPause{10};

/// One engine is timed in one of its variants.
struct Subject {
  fs::path program;
  std::string engine, variant, precision;
  bool openmp_blas = false, folded = false;
};

struct Engines {
  Json about = Json::array();
  std::vector<Subject> subjects;
};

std::vector<std::pair<std::string, std::string>> environment(const Subject& subject, int threads,
                                                             const MeasureOptions& options) {
  std::vector<std::pair<std::string, std::string>> out = {{"OMP_NUM_THREADS", std::to_string(threads)}};
  // Debian's default OpenBLAS has threads of its own, which fight with those of OpenMP.
  if (subject.openmp_blas) out.emplace_back("LD_LIBRARY_PATH", options.openmp_blas);
  if (options.avx2) {
    out.insert(out.end(), {{"CBNET_FORCE_ISA", "avx2"},
                           {"ONEDNN_MAX_CPU_ISA", "AVX2"},
                           {"DNNL_MAX_CPU_ISA", "AVX2"},
                           {"ATEN_CPU_CAPABILITY", "avx2"},
                           {"OPENBLAS_CORETYPE", "Haswell"}});
  }
  return out;
}

bool asked(const MeasureOptions& options, const std::string& engine, const std::string& variant) {
  const auto& requested = options.engines;
  return requested.empty() || std::find(requested.begin(), requested.end(), engine) != requested.end() ||
         std::find(requested.begin(), requested.end(), engine + ":" + variant) != requested.end();
}

Engines find_engines(const MeasureOptions& options) {
  std::vector<fs::path> programs;
  if (fs::is_directory(options.workers)) {
    for (const auto& entry : fs::directory_iterator(options.workers)) {
      if (entry.path().filename().string().starts_with("peer_")) programs.push_back(entry.path());
    }
  }
  std::sort(programs.begin(), programs.end());
  Engines out;
  for (const fs::path& program : programs) {
    // The cap holds here too: an engine says which ISA it will use.
    Process worker({program.string(), "--about"}, {.environment = environment({}, 1, options)});
    const Json about = parse_json(worker.read_line(), program.string());
    bool any = false;
    for (const Json& variant : about.at("variants")) {
      const std::string engine = about.at("engine"), name = variant.at("variant");
      if (!asked(options, engine, name)) continue;
      any = true;
      Subject subject{program, engine, name, variant.at("precision"), about.at("openmp_blas").get<bool>()};
      out.subjects.push_back(subject);
      // This project's engine folds by itself.
      subject.folded = true;
      if (engine != "cbnet") out.subjects.push_back(subject);
    }
    if (any) out.about.push_back(about);
  }
  require(!out.subjects.empty(), "peers", "no such engine among the programs of ", options.workers.string());
  return out;
}

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> out;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) out.push_back(cpu);
  }
  return out;
}

/// Keeps this process, and with it what it starts from now on, on the last `count` of the CPUs.
void pin(const std::vector<int>& cpus, int count) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (auto cpu = cpus.end() - count; cpu != cpus.end(); ++cpu) CPU_SET(*cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
}

/// Returns the first run that has the model.
const TrainedRun& run_of(const std::vector<TrainedRun>& runs, const std::string& model) {
  for (const TrainedRun& run : runs) {
    if (std::find(run.models.begin(), run.models.end(), model) != run.models.end()) return run;
  }
  throw std::invalid_argument(concat("[peers] none of the runs has the model '", model, "'"));
}

struct Measured {
  Json result;
  std::vector<std::vector<double>> us;  // by round, by block
  double low_us = 1e300, busy = 1.0;
};

class Measurement {
 public:
  explicit Measurement(const MeasureOptions& options) : options_(options), cpus_(allowed_cpus()) {
    const std::int64_t pass = images_of_pass();
    std::int64_t max_batch = pass;
    for (const std::int64_t batch : options.batches) {
      require(batch % pass == 0 || pass % batch == 0, "peers", "a batch divides ", pass,
              " or is a multiple of it; got ", batch);
      max_batch = std::max(max_batch, batch);
    }
    for (const int threads : options.threads)
      require(threads <= static_cast<int>(cpus_.size()), "peers", "this process may run on ", cpus_.size(),
              " CPUs; got ", threads, " threads");
    require(options.block_s > 0, "peers", "a block takes some time; got ", options.block_s, " s");
    for (const std::string& name : options.models)
      add(name, options.runs.empty()
                    ? random_workload(name, options.seed, options.hard_share, max_batch)
                    : trained_workload(name, run_of(options.runs, name).path, options.location, max_batch));
    for (const std::string& given : options.networks)
      add(given, given_workload(given, options.seed, max_batch));
  }

  Json run() {
    engines_ = find_engines(options_);
    for (int round = 0; round < options_.rounds; ++round) {
      measure_machine();
      for (const int threads : options_.threads) {
        pin(cpus_, threads);
        for (const std::int64_t batch : options_.batches) {
          for (const std::string& model : models_) point(model, batch, threads, round);
        }
      }
    }
    return report();
  }

 private:
  void add(const std::string& given, const Workload& workload) {
    const PeerModel& model = workload.model;
    if (options_.progress) options_.progress(concat("made ", given));
    require(about_.count(model.name) == 0, "peers", "two of the networks are called '", model.name, "'");
    models_.push_back(model.name);
    fs::create_directories(folder(model.name));
    save_workload(folder(model.name), workload);
    const PeerModel less = folded(model);
    costs_[{model.name, false}] = cost_of(model, workload.hard_share);
    if (less.spec.trunk.size() != model.spec.trunk.size())
      costs_[{model.name, true}] = cost_of(less, workload.hard_share);
    about_[model.name] = {{"hard_share", model.has_exit() ? Json(workload.hard_share) : Json()},
                          {"zero_share", model.is_graph() ? Json() : Json(zero_share(workload))}};
    any_network_ = any_network_ || model.is_graph();
  }

  /// Random images differ less from each other than those of a test set.
  std::int64_t images_of_pass() const { return options_.runs.empty() ? 64 : 256; }
  fs::path folder(const std::string& model) const { return files_ / model; }

  struct Running {
    Measured* to;
    std::unique_ptr<Process> child;
  };

  void measure_machine() {
    pin(cpus_, 1);
    std::vector<double> sizes;
    for (const auto& [key, cost] : costs_) {
      for (const char* precision : {"fp32", "int8"}) {
        for (const int threads : options_.threads) sizes.push_back(core_bytes(cost, precision, threads));
      }
    }
    const MachineLimits now =
        bench::measure_limits(options_.avx2 ? Isa::avx2 : available_isas().back(), sizes);
    limits_ = limits_.reads.empty() ? now : bench::better(limits_, now);
  }

  void point(const std::string& model, std::int64_t batch, int threads, int round) {
    if (options_.progress)
      options_.progress(concat("round ", round + 1, ", ", threads, " threads, batch ", batch, ", ", model));
    std::vector<Running> running;
    for (const Subject& subject : engines_.subjects) {
      if (costs_.count({model, subject.folded}) == 0) continue;
      auto child = start(subject, model, batch, threads);
      const Json ready = parse_json(child->read_line(), subject.program.string());
      if (!ready.at("takes").get<bool>()) {
        if (any_network_)
          skipped_[{model, subject.engine, subject.variant}] = ready.at("why").get<std::string>();
        continue;
      }
      const bool int8 = subject.precision == "int8";
      const double error = ready.at(int8 ? "rms_error" : "error"), limit = limit_of(int8);
      if (!(error <= limit))
        throw std::runtime_error(
            concat(subject.engine, " ", subject.variant, " on ", model, ": outputs differ by ", error,
                   int8 ? " in the root mean square" : " of the largest", ", more than ", limit));
      Measured& to = results_[{threads, batch, model, subject.engine, subject.variant, subject.folded}];
      to.result = {{"model", model},
                   {"engine", subject.engine},
                   {"variant", subject.variant},
                   {"folded", subject.folded},
                   {"precision", subject.precision},
                   {"batch", batch},
                   {"threads", threads},
                   {"error", error},
                   {"agree", ready.at("agree")}};
      to.us.resize(static_cast<std::size_t>(round) + 1);
      running.push_back({&to, std::move(child)});
    }
    for (int b = 0; b < options_.blocks; ++b) {
      // The turns go back and forth: a machine that drifts does so to all of them alike.
      if (b > 0) std::reverse(running.begin(), running.end());
      for (Running& one : running) block(one);
    }
  }

  std::unique_ptr<Process> start(const Subject& subject, const std::string& model, std::int64_t batch,
                                 int threads) {
    const Json job = {{"variant", subject.variant}, {"folder", folder(model).string()},
                      {"folded", subject.folded},   {"batch", batch},
                      {"threads", threads},         {"images", images_of_pass()}};
    return std::make_unique<Process>(std::vector<std::string>{subject.program.string(), job.dump()},
                                     ProcessOptions{.input = ProcessOptions::kPipe,
                                                    .environment = environment(subject, threads, options_)});
  }

  void block(Running& one) {
    Json best;
    for (int i = 0; i < kTries; ++i) {
      std::this_thread::sleep_for(kPause);
      one.child->write_line(concat("block ", options_.block_s));
      Json answer = parse_json(one.child->read_line(), "a worker");
      if (best.is_null() || answer.at("busy") > best.at("busy")) best = std::move(answer);
      if (best.at("busy") >= bench::kMinBusy) break;
    }
    // CPU time leaves out what others took of the core; with more threads the main one's would say little.
    const bool disturbed = best.at("busy") < bench::kMinBusy && one.to->result.at("threads") == 1;
    one.to->us.back().push_back(best.at(disturbed ? "cpu_us" : "us"));
    one.to->low_us = std::min(one.to->low_us, best.at("low_us").get<double>());
    one.to->busy = std::min(one.to->busy, best.at("busy").get<double>());
  }

  Json report() const {
    Json out = {{"schema", "cbnet-peers/1"},
                {"commit", bench::build_commit()},
                {"host", energy::recognise_host().describe()},
                {"cap", options_.avx2 ? Json("avx2") : Json()},
                {"method",
                 {{"rounds", options_.rounds},
                  {"blocks", options_.blocks},
                  {"block_s", options_.block_s},
                  {"images", images_of_pass()},
                  {"trained_on", datasets()},
                  {"seed", options_.runs.empty() ? Json(options_.seed) : Json()}}},
                {"engines", engines_.about},
                {"limits", bench::to_json(limits_)},
                {"models", Json::array()},
                {"results", Json::array()}};
    for (const auto& [key, cost] : costs_) {
      out["models"].push_back(
          {{"model", key.first},
           {"folded", key.second},
           {"hard_share", about_.at(key.first).at("hard_share")},
           {"zero_share", about_.at(key.first).at("zero_share")},
           {"macs", cost.macs},
           {"macs_without_padding", cost.macs_without_padding > 0 ? Json(cost.macs_without_padding) : Json()},
           {"weight_bytes", cost.weight_bytes}});
    }
    for (const auto& [key, measured] : results_) out["results"].push_back(result(measured));
    out["skipped"] = Json::array();
    for (const auto& [key, why] : skipped_)
      out["skipped"].push_back({{"model", std::get<0>(key)},
                                {"engine", std::get<1>(key)},
                                {"variant", std::get<2>(key)},
                                {"why", why}});
    return out;
  }

  /// Returns null for random networks.
  Json datasets() const {
    Json out;
    for (const TrainedRun& run : options_.runs) out.push_back(run.dataset);
    return out;
  }

  Json result(const Measured& measured) const {
    Json out = measured.result;
    std::vector<double> all, rounds;
    for (const std::vector<double>& blocks : measured.us) {
      all.insert(all.end(), blocks.begin(), blocks.end());
      if (!blocks.empty()) rounds.push_back(bench::median(blocks));
    }
    out["us"] = bench::median(all);
    out["low"] = *std::min_element(rounds.begin(), rounds.end());
    out["high"] = *std::max_element(rounds.begin(), rounds.end());
    out["p10_us"] = measured.low_us;
    out["busy"] = measured.busy;
    out["blocks_us"] = measured.us;
    const ModelCost& cost = costs_.at({out.at("model"), out.at("folded").get<bool>()});
    const auto floor = floor_of(cost, out.at("precision"), out.at("batch"), out.at("threads"), limits_);
    out["floor_us"] = floor ? Json(floor->us) : Json();
    out["floor_by"] = floor ? Json(floor->memory_bound ? "memory" : "arithmetic") : Json();
    return out;
  }

  double limit_of(bool int8) const {
    if (any_network_) return int8 ? kAnyRootMeanSquare : kAnyLargest;
    return int8 ? kRootMeanSquare : kLargest;
  }

  const MeasureOptions& options_;
  std::vector<int> cpus_;
  TemporaryFolder files_;
  std::map<std::string, Json> about_;  // by model
  std::vector<std::string> models_;
  bool any_network_ = false;
  std::map<std::tuple<std::string, std::string, std::string>, std::string> skipped_;  // why, by variant
  Engines engines_;
  MachineLimits limits_;
  std::map<std::pair<std::string, bool>, ModelCost> costs_;
  std::map<std::tuple<int, std::int64_t, std::string, std::string, std::string, bool>, Measured> results_;
};

}  // namespace

Json measure(const MeasureOptions& options) { return Measurement(options).run(); }

}  // namespace cbnet::peers
