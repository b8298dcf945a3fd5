#include "bench/growth.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>

#include "bench/growth_plot.h"
#include "bench/networks.h"
#include "bench/records.h"
#include "console/options.h"
#include "console/output.h"
#include "console/progress.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tensor/parallel.h"

namespace cbnet::bench {
namespace {

constexpr Manual kManual{
    "cbnet_bench", "growth", "[--json FILE] [--plot FILE.svg] [options]",
    "Times the inference engine as the work grows: batches of 1 to 4,096 images, 1 and 2 threads, networks\n"
    "of 1 to 8 times the width, images of 28 to 224 pixels a side; each beside the least time that the\n"
    "machine allows.\n",
    R"(Weights are random: they do not change what an image costs. The plot is drawn by the program gnuplot;
its data lie beside it as FILE.dat, its script as FILE.gnuplot.

Examples:
  cbnet_bench growth --json growth.json --plot growth.svg
  cbnet_bench growth --from growth.json --plot growth.svg     # draws what was measured before
  cbnet_bench growth --max-batch 64 --max-width 2 --max-side 56 --threads 1
)"};

constexpr const char* kExplained =
    "µs an image; in brackets, as many times the least that the machine allows: multiply-adds at the FMA "
    "peak or\n"
    "weights at the bandwidth of a buffer of their size, the batch and the threads sharing both. The "
    "classifier is\n"
    "the early branch. Wide convolutions go by Winograd's algorithm, which multiplies less often, and can be "
    "below 1.\n"
    "One image stays in one thread.\n";

constexpr std::int64_t kDistinctImages = 64;
constexpr std::int64_t kSide = 28;
constexpr const char* kAutoencoder = "autoencoder-mnist";

/// Holds a network of one size, its plan, and images for the largest batch that is asked of it.
class Sized {
 public:
  Sized(const GrowthPoint& point, std::int64_t max_images, std::uint64_t seed)
      : Sized(make_network(point.model, seed, point.width, point.side), max_images, seed) {}

  double check(std::int64_t batch) {
    return check_plan(plan_, workspace_, images(batch), answer(batch), name_);
  }
  void run(std::int64_t batch) {
    static_cast<void>(plan_.run(images_.data<std::uint8_t>(), batch, workspace_));
  }
  std::int64_t macs() const { return plan_.macs_by_exit().back(); }
  std::int64_t weight_bytes() const { return plan_.weight_bytes(); }

 private:
  // The modules go when the plan is there: wide ones are large.
  Sized(const BenchNetwork& network, std::int64_t max_images, std::uint64_t seed)
      : name_(network.name),
        images_(noise_images(max_images, network.input(), kDistinctImages, seed)),
        answer_(network.answer(images(std::min(max_images, kDistinctImages)))),
        plan_(network.graph()),
        workspace_(plan_) {}

  Tensor images(std::int64_t batch) const { return images_.slice(0, 0, batch); }
  std::vector<float> answer(std::int64_t batch) const {
    const std::int64_t distinct = std::min(images_.size(0), kDistinctImages);
    const auto count = answer_.size() / static_cast<std::size_t>(distinct) *
                       static_cast<std::size_t>(std::min(batch, distinct));
    return {answer_.begin(), answer_.begin() + static_cast<std::ptrdiff_t>(count)};
  }

  std::string name_;
  Tensor images_;
  std::vector<float> answer_;
  runtime::Plan plan_;
  runtime::Workspace workspace_;
};

/// Holds networks by model, width and side, made when they are first asked for.
class Networks {
 public:
  Networks(const std::vector<GrowthPoint>& points, std::uint64_t seed) : points_(points), seed_(seed) {}

  Sized& at(const GrowthPoint& point) {
    std::unique_ptr<Sized>& found = made_[{point.model, point.width, point.side}];
    if (found == nullptr) {
      std::int64_t max_batch = 1;
      for (const GrowthPoint& other : points_) {
        if (other.model == point.model && other.width == point.width && other.side == point.side)
          max_batch = std::max(max_batch, other.batch);
      }
      found = std::make_unique<Sized>(point, max_batch, seed_);
    }
    return *found;
  }

 private:
  const std::vector<GrowthPoint>& points_;
  std::uint64_t seed_;
  std::map<std::tuple<std::string, std::int64_t, std::int64_t>, std::unique_ptr<Sized>> made_;
};

class ThreadsRestored {
 public:
  ThreadsRestored() = default;
  ThreadsRestored(const ThreadsRestored&) = delete;
  ThreadsRestored& operator=(const ThreadsRestored&) = delete;
  ~ThreadsRestored() { set_num_threads(before_); }

 private:
  int before_ = num_threads();
};

std::string threads_text(int threads) { return concat(threads, threads == 1 ? " thread" : " threads"); }

struct Measured {
  double error = 0.0;  // largest difference from the modules
  Timing timing;
};

/// Fills in the points of one thread count, which stays set.
void measure_with(int threads, const std::vector<GrowthPoint>& points, Networks& networks,
                  const TimingOptions& options, std::vector<Measured>& measured) {
  set_num_threads(threads);
  std::vector<Task> tasks;
  std::vector<Measured*> to;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const GrowthPoint& point = points[i];
    if (point.threads != threads) continue;
    Sized& network = networks.at(point);
    to.push_back(&measured[i]);
    to.back()->error = network.check(point.batch);
    tasks.push_back({concat(point.model, ", ", point.axis, ", ", threads_text(threads)),
                     [&network, &point] { network.run(point.batch); }});
  }
  const std::vector<Timing> timings = time_in_turns(tasks, options);
  for (std::size_t t = 0; t < to.size(); ++t) to[t]->timing = timings[t];
}

Json point_json(const GrowthPoint& point, const Sized& network, const Measured& measured,
                const MachineLimits& limits) {
  const std::int64_t macs = network.macs(), bytes = network.weight_bytes();
  Json out{{"axis", point.axis}, {"model", point.model},  {"width", point.width},
           {"side", point.side}, {"batch", point.batch},  {"threads", point.threads},
           {"macs", macs},       {"weight_bytes", bytes}, {"error", measured.error}};
  out.update(timing_json(
      measured.timing,
      growth_floor(static_cast<double>(macs), static_cast<double>(bytes), point.batch, point.threads, limits),
      point.batch));
  return out;
}

/// Makes one table: what grows down, series across, "µs (over the floor)".
std::string axis_table(const std::vector<GrowthSeries>& all, const std::string& axis) {
  std::vector<std::string> head = {axis};
  std::vector<std::int64_t> xs;
  std::vector<const GrowthSeries*> series;
  for (const GrowthSeries& one : all) {
    if (one.axis != axis) continue;
    series.push_back(&one);
    head.push_back(axis == "batch" ? concat(one.model, ", ", threads_text(one.threads)) : one.model);
    for (const Json& point : one.points) xs.push_back(point.at(axis));
  }
  std::sort(xs.begin(), xs.end());
  xs.erase(std::unique(xs.begin(), xs.end()), xs.end());
  Table table(head, 1, 0);
  for (const std::int64_t x : xs) {
    std::vector<std::string> line = {std::to_string(x)};
    for (const GrowthSeries* one : series) {
      const auto point = std::find_if(one->points.begin(), one->points.end(),
                                      [&](const Json& p) { return p.at(axis) == x; });
      if (point == one->points.end()) {
        line.emplace_back("-");
        continue;
      }
      const std::optional<double> floor = number_at(*point, "floor_us");
      const double us = point->at("us");
      line.push_back(time_cell(*point) + (floor ? concat(" (", fixed(us / *floor, 1), ")") : std::string()));
    }
    table.add(std::move(line));
  }
  return table.text();
}

}  // namespace

std::vector<GrowthPoint> growth_points(const GrowthOptions& options) {
  std::vector<GrowthPoint> out;
  const std::vector<std::string> models = {"lenet", "classifier", kAutoencoder};
  for (const int threads : options.threads) {
    for (const std::string& model : models) {
      for (std::int64_t batch = 1; batch <= options.max_batch; batch *= 2)
        out.push_back({"batch", model, 1, kSide, batch, threads});
    }
  }
  for (const std::string& model : models) {
    for (std::int64_t width = 1; width <= options.max_width; width *= 2)
      out.push_back({"width", model, width, kSide, 1, 1});
  }
  for (const std::string& model : models) {
    for (std::int64_t side = kSide; side <= options.max_side && model != kAutoencoder; side *= 2)
      out.push_back({"side", model, 1, side, 1, 1});
  }
  return out;
}

std::optional<Floor> growth_floor(double macs, double weight_bytes, std::int64_t batch, int threads,
                                  const MachineLimits& limits) {
  return floor_of({macs * static_cast<double>(batch) / threads, 0.0, weight_bytes / threads}, limits);
}

Json measure_growth(const GrowthOptions& options) {
  const std::vector<GrowthPoint> points = growth_points(options);
  Networks networks(points, options.seed);
  double largest = 0.0;
  for (const GrowthPoint& point : points)
    largest = std::max(largest, static_cast<double>(networks.at(point).weight_bytes()));
  MachineLimits limits = measure_limits(active_isa(), octaves(largest));
  std::vector<Measured> measured(points.size());
  std::set<int> threads;
  for (const GrowthPoint& point : points) threads.insert(point.threads);
  {
    const ThreadsRestored restored;
    for (const int count : threads) measure_with(count, points, networks, options.timing, measured);
  }
  limits = better(limits, measure_limits(active_isa(), octaves(largest)));
  Json out = record_json("cbnet-growth/1");
  out["method"] = {
      {"rounds", options.timing.rounds}, {"block_s", options.timing.block_s}, {"seed", options.seed}};
  out["limits"] = to_json(limits);
  out["points"] = Json::array();
  for (std::size_t i = 0; i < points.size(); ++i)
    out["points"].push_back(point_json(points[i], networks.at(points[i]), measured[i], limits));
  return out;
}

std::vector<GrowthSeries> growth_series(const Json& report) {
  check_schema(report, "cbnet-growth/1");
  try {
    std::vector<GrowthSeries> out;
    for (const Json& point : report.at("points")) {
      const std::string axis = point.at("axis"), model = point.at("model");
      const int threads = point.at("threads");
      for (const char* key : {"batch", "width", "side", "us", "low", "high", "floor_us"})
        static_cast<void>(point.at(key));
      auto found = std::find_if(out.begin(), out.end(), [&](const GrowthSeries& one) {
        return one.axis == axis && one.model == model && one.threads == threads;
      });
      if (found == out.end()) found = out.insert(out.end(), {axis, model, threads, {}});
      found->points.push_back(point);
    }
    return out;
  } catch (const Json::exception& error) {
    throw InputError("a record of `cbnet_bench growth`", "every field that its plot shows", error.what());
  }
}

std::string growth_text(const Json& report) {
  const std::vector<GrowthSeries> series = growth_series(report);
  std::string out = kExplained;
  for (const auto& [axis, title] :
       {std::pair{"batch", "Images a call"},
        std::pair{"width", "Channels and hidden features, times the paper's; batch 1, 1 thread"},
        std::pair{"side", "Pixels a side; batch 1, 1 thread"}}) {
    out += concat("\n", title, "\n", axis_table(series, axis));
  }
  out += disturbed_note(out);
  return out;
}

int run_growth(const std::vector<std::string>& words) {
  CommandLine line(kManual);
  line.add("What", "max-batch", "N", "largest batch (default: 4096)");
  line.add("What", "max-width", "N", "largest width (default: 8)");
  line.add("What", "max-side", "N", "largest image side, at least 28 (default: 224)");
  line.add("What", "from", "FILE", "what --json wrote before, instead of measuring");
  line.add_output("What", "plot", "FILE.svg", "the plot to write");
  declare_timing(line);
  if (!line.parse(words, false)) return 0;
  const std::filesystem::path plot = line.text("plot");
  if (line.has("plot")) {
    if (plot.extension() != ".svg")
      line.fail(concat("--plot must name an .svg file; got '", plot.string(), "'"));
    require_gnuplot();
  }
  GrowthOptions options;
  if (line.has("max-batch")) options.max_batch = line.integer("max-batch", 1, 65'536);
  if (line.has("max-width")) options.max_width = line.integer("max-width", 1, 64);
  if (line.has("max-side")) options.max_side = line.integer("max-side", kSide, 4'096);
  if (line.has("threads")) options.threads = {num_threads()};
  read_timing(line, options.timing);
  const Json report = [&] {
    if (line.has("from")) return parse_json(read_file(line.text("from")), line.text("from"));
    ProgressBar bar(std::cerr, std::cerr, ::isatty(STDERR_FILENO) != 0, line.quiet());
    show_progress(bar, options.timing);
    return measure_growth(options);
  }();
  std::cout << growth_text(report);
  write_report(line.json_file(), report);
  if (line.has("plot")) plot_growth(report, plot);
  return 0;
}

}  // namespace cbnet::bench
