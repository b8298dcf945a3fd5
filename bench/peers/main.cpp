#include <algorithm>
#include <filesystem>
#include <iostream>

#include "bench/networks.h"
#include "bench/peers/measure.h"
#include "bench/peers/network_set.h"
#include "bench/peers/networks_report.h"
#include "bench/peers/report.h"
#include "console/options.h"
#include "console/output.h"
#include "console/run_main.h"
#include "tensor/error.h"
#include "tensor/io.h"

namespace cbnet::peers {
namespace {

constexpr const char* kUsage =
    "cbnet_peers: this engine beside other inference engines\n"
    "\n"
    "Usage: cbnet_peers COMMAND [OPTIONS]\n"
    "\n"
    "  run       times every engine on every model, in turns, and writes JSON\n"
    "  networks  lists the standing set of networks beside the paper's\n"
    "  report    makes a Markdown page of such files\n"
    "\n"
    "  cbnet_peers COMMAND --help   options and examples of a command\n"
    "  cbnet_peers --version\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage or input.\n";

constexpr Manual kRunManual{
    "cbnet_peers", "run", "--json FILE [options]",
    "Gives every engine the same weights, compares its outputs with an f64 reference, then times all of\n"
    "them in alternating blocks, each in a process of its own, pinned; and the limits of the machine beside\n"
    "them. With --run the networks are trained ones and the images their test sets'; without, both are\n"
    "random, and no pixel is 0.\n",
    R"(Examples:
  cbnet_peers run --run runs/mnist --run runs/fmnist --json peers.json
  cbnet_peers run --json random.json
  cbnet_peers run --network resnet8 --network mine.onnx --json networks.json
  cbnet_peers run --quick --models lenet --batch 1 --threads 1 --json quick.json
  cbnet_peers run --engines cbnet --engines onednn:blocked --json two.json
)"};

constexpr Manual kReportManual{
    "cbnet_peers", "report", "--from FILE [--from FILE…] --out FILE.md",
    "Makes a Markdown page of what `cbnet_peers run`, bench_train and cbnet_bench wrote.\n",
    R"(Examples:
  cbnet_peers report --from docs/performance/peers.json --out docs/performance.md
  cbnet_peers report --networks docs/performance/networks --out docs/performance/networks.md
)"};

template <class T>
std::vector<T> integers(const CommandLine& line, const std::string& name, std::vector<T> otherwise) {
  if (!line.has(name)) return otherwise;
  std::vector<T> out;
  for (const std::string& word : line.list(name)) {
    std::size_t used = 0;
    long value = 0;
    try {
      value = std::stol(word, &used);
    } catch (const std::exception&) {
    }
    if (used != word.size() || value < 1 || value > 65'536)
      line.fail(concat("--", name, " must be a whole number, 1 to 65536; got '", word, "'"));
    out.push_back(static_cast<T>(value));
  }
  return out;
}

int run_measure(const std::vector<std::string>& words) {
  CommandLine line(kRunManual);
  line.add_list("What", "run", "RUN",
                "folder that `cbnet train` made, one of each dataset; the first for LeNet and BranchyNet");
  line.add_list("What", "models", "M", "this model alone; may be repeated");
  line.add_list("What", "network", "NAME|FILE",
                "any network: one of the set, a name that `cbnet info` lists, or a file .json, .onnx or\n"
                ".safetensors; may be repeated; batches of 1 and 64, one thread");
  line.add_list("What", "engines", "E[:VARIANT]", "this engine alone; may be repeated");
  line.add_list("What", "batch", "N", "images a call; may be repeated (default: 1, 64 and 1024)");
  line.add("What", "avx2", "", "everything capped to AVX2, as far as an engine can be");
  line.add("What", "hard-share", "S",
           "random networks: fraction of images that stay behind BranchyNet's side exit (default: 0.3)");
  line.add("Measurement", "rounds", "N", "rounds over everything (default: 2)");
  line.add("Measurement", "blocks", "N", "blocks of each engine in a round (default: 3)");
  line.add("Measurement", "block-s", "S", "seconds of a block (default: 0.1)");
  line.add("Measurement", "quick", "", "one round of short blocks, to see that all works");
  line.add("Measurement", "seed", "N", "random networks: of weights and images (default: 1)");
  if (!line.parse(words, false)) return 0;
  static_cast<void>(line.required("json"));
  MeasureOptions options;
  options.workers = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "peers";
  options.openmp_blas = CBNET_OPENBLAS_OPENMP;
  if (line.has("run")) {
    for (const char* option : {"seed", "hard-share"})
      if (line.has(option))
        line.fail(concat("--", option, " is of random networks; it does not go with --run"));
    for (const std::string& run : line.list("run")) options.runs.push_back(trained_run(run));
    options.location = line.location();
  }
  options.models = bench::network_names();
  if (!options.runs.empty()) {
    std::erase_if(options.models, [&](const std::string& model) {
      return std::none_of(options.runs.begin(), options.runs.end(), [&](const TrainedRun& run) {
        return std::find(run.models.begin(), run.models.end(), model) != run.models.end();
      });
    });
  }
  if (line.has("network")) {
    for (const char* option : {"run", "models", "hard-share"})
      if (line.has(option))
        line.fail(concat("--", option, " is of the paper's networks; it does not go with --network"));
    options.networks = line.list("network");
    options.models = {};
    options.batches = {1, 64};
    options.threads = {1};
  }
  if (line.has("models")) options.models = line.list("models");
  if (line.has("engines")) options.engines = line.list("engines");
  options.batches = integers(line, "batch", options.batches);
  if (line.has("threads")) options.threads = {static_cast<int>(line.integer("threads"))};
  options.avx2 = line.is_set("avx2");
  if (line.is_set("quick")) options.rounds = 1, options.blocks = 2, options.block_s = 0.02;
  if (line.has("rounds")) options.rounds = static_cast<int>(line.integer("rounds", 1, 100));
  if (line.has("blocks")) options.blocks = static_cast<int>(line.integer("blocks", 1, 1000));
  if (line.has("block-s")) options.block_s = line.number("block-s");
  if (line.has("seed")) options.seed = line.unsigned_integer("seed");
  if (line.has("hard-share")) options.hard_share = line.number("hard-share");
  if (!line.quiet()) options.progress = [](const std::string& text) { std::cerr << text << std::endl; };
  const Json report = measure(options);
  write_report(line.json_file(), report);
  for (const std::string& text : summary(report)) std::cout << text << "\n";
  return 0;
}

Json read_json(const std::string& file) {
  try {
    return parse_json(read_file(file), file);
  } catch (const Json::exception& error) {
    throw InputError(file, "JSON", error.what(), "`cbnet_peers run` and bench_train write it");
  }
}

NetworkRecords network_records(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder))
    throw InputError(folder.string(), "a folder of measurements", "none", "`cbnet_peers run` writes them");
  NetworkRecords out;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    Json json = read_json(entry.path().string());
    (json.contains("trainings") ? out.trainings : out.runs).push_back(std::move(json));
  }
  return out;
}

int run_report(const std::vector<std::string>& words) {
  CommandLine line(kReportManual);
  line.add_list("What", "from", "FILE", "what `cbnet_peers run` wrote; may be repeated");
  line.add("What", "networks", "FOLDER",
           "instead: what `cbnet_peers run --network` and `bench_train --network` wrote there");
  line.add("What", "training", "FILE", "what bench_train wrote");
  line.add("What", "roofline", "FILE", "what `cbnet_bench roofline` wrote");
  line.add("What", "figure", "FILE.svg", "the plot of growth, as the page is to link it");
  line.add_list("What", "append", "FILE.md", "more sections, as they are; may be repeated");
  line.add("What", "out", "FILE.md", "the page");
  if (!line.parse(words, false)) return 0;
  const std::string out = line.required("out");
  if (line.has("networks")) {
    write_file_atomic(out, networks_markdown(network_records(line.text("networks"))));
    return 0;
  }
  if (!line.has("from")) line.fail("option --from is required");
  Page page;
  for (const std::string& file : line.list("from")) page.runs.push_back(read_json(file));
  const auto json = [&](const char* option) {
    const std::string file = line.text(option);
    return file.empty() ? Json() : read_json(file);
  };
  page.training = json("training");
  page.roofline = json("roofline");
  page.figure = line.text("figure");
  if (line.has("append")) {
    for (const std::string& file : line.list("append")) page.more.push_back(read_file(file));
  }
  write_file_atomic(out, markdown(page));
  return 0;
}

constexpr Manual kNetworksManual{"cbnet_peers", "networks", "",
                                 "Lists the standing set of networks, a name a line.\n", ""};

int run_networks(const std::vector<std::string>& words) {
  CommandLine line(kNetworksManual);
  if (!line.parse(words, false)) return 0;
  for (const std::string& name : network_set()) std::cout << name << "\n";
  return 0;
}

constexpr Command kCommands[] = {{"run", run_measure}, {"networks", run_networks}, {"report", run_report}};

int run(const std::vector<std::string>& words) {
  return run_command("cbnet_peers", kUsage, kCommands, words);
}

}  // namespace
}  // namespace cbnet::peers

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return cbnet::run_main("cbnet_peers", [&] { return cbnet::peers::run(words); });
}
