#include <filesystem>
#include <iostream>
#include <optional>

#include "cbnet/predictor.h"
#include "cbnet/run_folder.h"
#include "cli/commands.h"
#include "console/options.h"
#include "console/output.h"
#include "models/onnx/onnx.h"
#include "tensor/error.h"

namespace cbnet::cli {
namespace {

constexpr Manual kManual{
    "cbnet", "export", "--run RUN --model M --onnx FILE [options]",
    "Writes a trained model as ONNX, for ONNX Runtime and others. The graph takes `pixels`, f32\n"
    "(N,C,H,W) from 0 to 1, and gives `label`, `probabilities` and `logits`; with an autoencoder,\n"
    "`converted`; with side exits, `label`, `probabilities`, `entropy` of the first exit in nats and\n"
    "`exit` (0 is the first).\n",
    R"(A network with side exits takes one image at a time, and what stands behind an exit is not
computed for one that leaves there; with --batched it takes any number, computes all exits and
selects one per image.

Examples:
  cbnet export --run runs/fmnist --model cbnet --onnx cbnet.onnx
  cbnet export --run runs/fmnist --model branchynet --batched --onnx branchynet.onnx
)"};

}  // namespace

int run_export(const Arguments& arguments) {
  CommandLine line(kManual);
  line.add("Export", "run", "RUN", "the folder that `cbnet train` wrote");
  line.add("Export", "model", "M", "one of the run's: lenet, branchynet, autoencoder, classifier, cbnet, …");
  line.add_output("Export", "onnx", "FILE", "the file to write; - is the standard output");
  line.add("Export", "batched", "", "a network with side exits for any number of images at a time");
  if (!line.parse(arguments, false)) return 0;
  const std::filesystem::path run = line.required("run");
  const std::string name = line.required("model");
  const std::string file = line.required("onnx");
  // What predicts with the model loads it too, and refuses what does not belong together.
  const auto predictor = load_predictor(run, name);
  if (line.is_set("batched") && predictor->macs_by_exit().size() == 1)
    line.fail(concat("--batched concerns side exits; ", name, " takes any number of images as it is"));
  const RunFolder folder(run);
  std::optional<Model> converter, classifier;
  if (name == "autoencoder" || name == "cbnet") converter = load_model(folder.model_file("autoencoder"));
  if (name == "cbnet") classifier = load_model(folder.model_file("classifier"));
  if (!converter) classifier = load_model(folder.model_file(name));
  export_onnx(
      file, {converter ? &*converter : nullptr, classifier ? &*classifier : nullptr, line.is_set("batched")});

  Json report = machine_json(line.device());
  report["run"] = run.string();
  report["model"] = name;
  report["onnx"] = file;
  report["format"] = onnx_description();
  const std::optional<std::int64_t> size = written_bytes(file);
  report["size_bytes"] = size ? Json(*size) : Json();
  std::cout << "wrote " << file << ": " << name << ", " << onnx_description()
            << (size ? concat(", ", grouped(*size), " bytes") : "") << '\n';
  write_report(line.json_file(), report);
  return 0;
}

}  // namespace cbnet::cli
