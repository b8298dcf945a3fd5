#include "bench/gpu.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <optional>

#include "bench/records.h"
#include "cbnet/predictor.h"
#include "cbnet/run_folder.h"
#include "console/options.h"
#include "console/output.h"
#include "console/progress.h"
#include "models/compile.h"
#include "runtime/device_plan.h"
#include "runtime/plan.h"
#include "tensor/cuda/backend.h"
#include "tensor/cuda/limits.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

namespace cbnet::bench {
namespace {

constexpr Manual kManual{
    "cbnet_bench", "gpu", "--run RUN [--batch LIST] [options]",
    "Times the models of a run on a GPU, each as one kernel: one image from pixels in the host's memory to "
    "the\n"
    "label there, launched in three ways, and batches, with both copies and the kernel alone.\n",
    R"(mailbox: a kernel stays on the GPU and reads the image out of the host's pinned memory; graph: a captured
launch for each image; stream: an ordinary one. An image's kernel is one cluster of blocks that keeps the
weights in its shared memory; of a batch each image has a block. The CPU's column is its plan on one core.
Answers are compared with those of the CPU's plan before anything is timed.

Examples:
  cbnet_bench gpu --run runs/fmnist
  cbnet_bench gpu --run runs/fmnist --model lenet --batch 1,4096 --json gpu.json
)"};

constexpr double kTolerance = 1e-3;
/// So many images are compared one by one, too.
constexpr std::int64_t kAlone = 20;
/// At most this fraction of the images may leave at another exit or get another label: their entropy is the
/// threshold, or their two best classes are equal, but for the last digits.
constexpr double kMaxOtherwise = 0.001;

runtime::Graph graph_of(const std::string& run, const std::string& name) {
  const RunFolder folder(run);
  if (name != "cbnet") return model_graph(load_model(folder.model_file(name)));
  const CbnetParts parts = folder.read_cbnet();
  return cbnet_graph(load_model(folder.path() / parts.autoencoder),
                     load_model(folder.path() / parts.classifier));
}

/// This is a model on both devices.
class Case {
 public:
  Case(const std::string& run, std::string name, const Tensor& images)
      : name_(std::move(name)),
        graph_(graph_of(run, name_)),
        images_(images),
        cpu_(graph_),
        workspace_(cpu_),
        device_(graph_) {}

  const std::string& name() const { return name_; }
  runtime::DevicePlan& device() { return device_; }
  const std::uint8_t* pixels(std::int64_t image = 0) const {
    return std::as_const(images_).data<std::uint8_t>() + image * numel(graph_.input);
  }

  /// Compares the answers to `n` images and to each of the first few alone; returns what the record says of
  /// it.
  Json check(std::int64_t n) {
    const runtime::Results expected = cpu_.run(pixels(), n, workspace_);
    Comparison all(graph_, expected);
    const cuda::NetAnswers many = device_.run(pixels(), n);
    for (std::int64_t i = 0; i < n; ++i) all.add(many, i, i);
    for (const cuda::NetLaunch launch :
         {cuda::NetLaunch::graph, cuda::NetLaunch::stream, cuda::NetLaunch::mailbox}) {
      for (std::int64_t i = 0; i < std::min<std::int64_t>(n, kAlone); ++i)
        all.add(device_.run(pixels(i), 1, launch), 0, i);
    }
    if (all.worst > kTolerance ||
        static_cast<double>(all.otherwise) > kMaxOtherwise * static_cast<double>(all.images)) {
      throw std::runtime_error(concat("[gpu] ", name_, " does not agree with the CPU: outputs differ by ",
                                      all.worst, ", ", all.otherwise, " of ", all.images,
                                      " images have another label or exit"));
    }
    return {{"images", n}, {"largest_difference", all.worst}, {"other_label_or_exit", all.otherwise}};
  }

  void run_cpu(std::int64_t n) { static_cast<void>(cpu_.run(pixels(), n, workspace_)); }

 private:
  struct Comparison {
    const runtime::Graph& graph;
    const runtime::Results& expected;
    double worst = 0.0;
    std::int64_t otherwise = 0, images = 0;

    Comparison(const runtime::Graph& of, const runtime::Results& by) : graph(of), expected(by) {}
    void add(const cuda::NetAnswers& found, std::int64_t at, std::int64_t image) {
      ++images;
      const auto from = static_cast<std::size_t>(image), to = static_cast<std::size_t>(at);
      if (graph.classifies &&
          (found.exits[to] != expected.exit[from] || found.labels[to] != expected.labels[from])) {
        ++otherwise;
        return;
      }
      const std::span<const float> values = graph.classifies ? expected.probabilities : expected.output;
      const auto width =
          static_cast<std::size_t>(numel(value_shape(graph, static_cast<std::int32_t>(graph.nodes.size()))));
      for (std::size_t i = 0; i < width; ++i)
        worst = std::max(
            worst, static_cast<double>(std::abs(found.outputs[to * width + i] - values[from * width + i])));
    }
  };

  std::string name_;
  runtime::Graph graph_;
  Tensor images_;
  runtime::Plan cpu_;
  runtime::Workspace workspace_;
  runtime::DevicePlan device_;
};

/// Answers one image after the other, as they come.
std::function<void()> one_by_one(Case& one, std::int64_t images, cuda::NetLaunch launch) {
  return [&one, images, launch, next = std::int64_t{0}]() mutable {
    static_cast<void>(one.device().run(one.pixels(next), 1, launch));
    next = (next + 1) % images;
  };
}

Json measure_case(Case& one, const GpuOptions& options, std::int64_t images) {
  cuda::NetEngine& engine = one.device().engine();
  Json out{{"model", one.name()},
           {"agreement", one.check(images)},
           {"blocks", engine.team()},
           {"shared_bytes", engine.shared_bytes()},
           {"resident_fraction", engine.resident_fraction()}};
  constexpr cuda::NetLaunch kLaunches[] = {cuda::NetLaunch::mailbox, cuda::NetLaunch::graph,
                                           cuda::NetLaunch::stream};
  std::vector<Task> tasks;
  for (const cuda::NetLaunch launch : kLaunches)
    tasks.push_back({concat(one.name(), ", ", to_string(launch)), one_by_one(one, images, launch)});
  tasks.push_back({one.name() + ", cpu", [&one] { one.run_cpu(1); }});
  for (const std::int64_t batch : options.batches)
    tasks.push_back({concat(one.name(), ", batch ", batch),
                     [&one, batch] { static_cast<void>(one.device().run(one.pixels(), batch)); }});
  const std::vector<Timing> timings = time_in_turns(tasks, options.timing);
  std::size_t t = 0;
  for (const cuda::NetLaunch launch : kLaunches)
    out["one"][to_string(launch)] = timing_json(timings[t++], std::nullopt, 1);
  out["one"]["cpu"] = timing_json(timings[t++], std::nullopt, 1);
  const int repeats = 10 * options.timing.rounds;
  for (const std::int64_t batch : options.batches) {
    Json entry = timing_json(timings[t++], std::nullopt, batch);
    entry["batch"] = batch;
    entry["kernel_us"] = engine.kernel_ns(batch, repeats) * 1e-3 / static_cast<double>(batch);
    out["batches"].push_back(entry);
  }
  return out;
}

}  // namespace

Json measure_gpu(const GpuOptions& options, const Tensor& images) {
  cuda::require_available();
  Json out = record_json("cbnet-gpu/1");
  out["gpu"] = cuda::device_descriptions();
  out["cuda"] = cuda::module_description();
  out["images"] = images.size(0);
  const cuda::DeviceLimits limits = cuda::measure_device_limits();
  out["limits"] = {{"copy_gb_per_s", limits.copy_gb_per_s},
                   {"upload_gb_per_s", limits.upload_gb_per_s},
                   {"gemm_tflop_per_s", limits.gemm_tflop_per_s},
                   {"launch_us", limits.launch_us},
                   {"launch_rate_us", limits.launch_rate_us}};
  out["models"] = Json::array();
  out["left_out"] = Json::array();
  for (const std::string& name : options.models.empty() ? models_in(options.run) : options.models) {
    std::optional<Case> one;
    try {
      one.emplace(options.run, name, images);
    } catch (const std::invalid_argument& error) {
      if (!options.models.empty()) throw;
      out["left_out"].push_back({{"model", name}, {"reason", error.what()}});
      continue;
    }
    out["models"].push_back(measure_case(*one, options, images.size(0)));
  }
  return out;
}

std::string gpu_text(const Json& report) {
  check_schema(report, "cbnet-gpu/1");
  try {
    const Json& models = report.at("models");
    std::vector<std::string> head = {"µs an image", "mailbox", "graph", "stream", "CPU plan"};
    if (!models.empty()) {
      for (const Json& entry : models.front().at("batches")) {
        head.push_back(concat("of ", entry.at("batch").get<std::int64_t>()));
        head.emplace_back("kernel");
      }
    }
    Table table(head);
    for (const Json& model : models) {
      std::vector<std::string> line = {model.at("model")};
      for (const char* launch : {"mailbox", "graph", "stream", "cpu"})
        line.push_back(time_cell(model.at("one").at(launch)));
      for (const Json& entry : model.at("batches")) {
        line.push_back(time_cell(entry));
        line.push_back(us_text(entry.at("kernel_us").get<double>()));
      }
      table.add(std::move(line));
    }
    const Json& limits = report.at("limits");
    const auto limit = [&](const char* key, int digits) {
      return fixed(limits.at(key).get<double>(), digits);
    };
    std::string out =
        concat(report.at("gpu").at(0).get<std::string>(), "; ", report.at("cuda").get<std::string>(),
               "\nMeasured: ", limit("copy_gb_per_s", 0), " GB/s copied on the device, ",
               limit("upload_gb_per_s", 1), " GB/s from the host, ", limit("gemm_tflop_per_s", 1),
               " TFLOP/s in f32, an empty launch ", limit("launch_us", 1), " µs, one of many ",
               limit("launch_rate_us", 1), " µs\n", table.text());
    for (const Json& left : report.at("left_out"))
      out += concat("left out: ", left.at("model").get<std::string>(), ": ",
                    left.at("reason").get<std::string>(), "\n");
    return out + disturbed_note(out);
  } catch (const Json::exception& error) {
    throw InputError("a record of `cbnet_bench gpu`", "every field that its table shows", error.what());
  }
}

int run_gpu(const std::vector<std::string>& words) {
  CommandLine line(kManual);
  line.add("Models", "run", "RUN", "the models of this run folder");
  line.add_list("Models", "model", "M", "this one alone; may be repeated (default: all of the run)");
  line.add_picture_options();
  line.add("Images", "batch", "N[,N…]", "sizes of batches (default: 64,512,4096)");
  declare_timing(line);
  if (!line.parse(words, false)) return 0;
  if (!line.has("run")) line.fail("option --run is required");
  GpuOptions options;
  read_timing(line, options.timing);
  options.run = line.text("run");
  if (line.has("model")) options.models = line.list("model");
  if (line.has("batch")) {
    options.batches.clear();
    for (const double batch : line.numbers("batch")) {
      if (!(batch >= 1 && batch <= 1 << 20) || batch != std::floor(batch))
        line.fail(concat("--batch must be whole numbers from 1; got ", batch));
      options.batches.push_back(static_cast<std::int64_t>(batch));
    }
  }
  cuda::require_available();
  const std::vector<std::string> names = options.models.empty() ? models_in(options.run) : options.models;
  if (names.empty()) throw InputError(options.run, "trained models", "none");
  const std::string dataset = load_predictor(options.run, names.front(), {}, Engine::eager)->dataset();
  const data::Dataset test = data::load_dataset(line.source(dataset), data::Splits::test);
  for (const std::int64_t batch : options.batches) {
    if (batch > test.test.size())
      line.fail(concat("--batch ", batch, " is more than the ", test.test.size(), " test images"));
  }
  set_num_threads(1);  // the CPU's column is of one
  const Json report = [&] {
    ProgressBar bar(std::cerr, std::cerr, ::isatty(STDERR_FILENO) != 0, line.quiet());
    show_progress(bar, options.timing);
    return measure_gpu(options, test.test.images.contiguous());
  }();
  std::cout << gpu_text(report);
  write_report(line.json_file(), report);
  return 0;
}

}  // namespace cbnet::bench
