#include <filesystem>
#include <iostream>

#include "cbnet/compression.h"
#include "cbnet/run_folder.h"
#include "cli/commands.h"
#include "console/options.h"
#include "console/output.h"
#include "runtime/plan_file.h"
#include "tensor/error.h"

namespace cbnet::cli {
namespace {

constexpr Manual kManual{
    "cbnet", "compile",
    "--run RUN --model M --dataset D | --data PATH --precision P --out FILE.plan [options]",
    "Prepares a trained model for the inference engine: layers folded, linear ones pruned and\n"
    "in fewer bits where that is asked for. Says what that does to the accuracy on validation images.\n",
    R"(Of linear layers, those of 10,000 weights or more are converted and pruned, or all where none
is that large. With int8, so are convolutions where bytes are faster than fp32 on this machine. An imported
network is calibrated on training images, and its accuracy is that on others of them, which may have trained
it. `cbnet_bench table2` measures the plans that it finds in a run folder as <model>.<precision>.plan, beside
the fp32 models.

Examples:
  cbnet compile --run runs/fmnist --model cbnet --dataset fmnist --precision int8 \
                --out runs/fmnist/cbnet.int8.plan
  cbnet compile --run runs/mnist --model autoencoder --dataset mnist --precision int8 --sparsity 0.5 \
                --out sparse.plan
)"};

}  // namespace

int run_compile(const Arguments& arguments) {
  CommandLine line(kManual);
  line.add("Compile", "run", "RUN", "the folder that `cbnet train` wrote");
  line.add("Compile", "model", "M", "lenet, branchynet, autoencoder, classifier, cbnet or an imported one");
  line.add_dataset_options(kDatasetNames);
  line.add("Compile", "precision", "P", "of the weights: fp32, bf16 or int8");
  line.add("Compile", "sparsity", "S", "share of the blocks of weights left out, 0 to below 1 (default: 0)");
  line.add("Compile", "seed", "N", "of calibration and fine-tuning (default: 1)");
  line.add_output("Compile", "out", "FILE", "the plan to write; - is the standard output");
  if (!line.parse(arguments, true)) return 0;
  const std::filesystem::path run = line.required("run");
  const std::string model = line.required("model");
  CompressionOptions options;
  options.precision = runtime::parse_precision(line.required("precision"));
  const std::string out = line.required("out");
  if (line.has("sparsity")) options.sparsity = line.number("sparsity");
  if (line.has("seed")) options.seed = line.unsigned_integer("seed");
  if (!line.quiet()) options.say = [](const std::string& text) { std::cerr << text << '\n'; };

  const data::Dataset dataset = data::load_dataset(line.source());
  const runtime::Graph graph = compress(RunFolder(run), model, dataset, options);
  runtime::save_graph(out, graph);
  const CompiledInfo info = compiled_info_from_json(graph.provenance, out);

  const std::optional<std::int64_t> size = written_bytes(out);
  std::cout << "wrote " << out << ": " << model << ", " << to_string(info.precision);
  if (info.sparsity > 0)
    std::cout << ", " << fixed(100 * info.sparsity, 1) << " % of the large layers' blocks left out";
  if (size) std::cout << ", " << grouped(*size) << " bytes";
  std::cout << "\naccuracy on " << grouped(info.validation_images)
            << (info.may_have_trained ? " images that may have trained it: " : " validation images: ")
            << fixed(100 * info.accuracy, 2) << " %; in fp32 " << fixed(100 * info.fp32_accuracy, 2)
            << " %\n";
  Json report = machine_json(line.device());
  report["run"] = run.string();
  report["plan"] = out;
  report["size_bytes"] = size ? Json(*size) : Json();
  report["compiled"] = Json::parse(graph.provenance);
  write_report(line.json_file(), report);
  return 0;
}

}  // namespace cbnet::cli
