#include <algorithm>
#include <filesystem>
#include <iostream>

#include "cbnet/predictor.h"
#include "cli/commands.h"
#include "console/options.h"
#include "console/output.h"
#include "data/picture.h"
#include "models/onnx/onnx.h"
#include "tensor/error.h"

namespace cbnet::cli {
namespace {

constexpr Manual kManual{
    "cbnet", "import", "--onnx FILE --out MODEL.safetensors [options]",
    "Reads a network from ONNX into a model file. In a run folder it is then one of the run's models,\n"
    "by the name of its file, to eval, predict, export and cbnet_bench.\n",
    R"(Known ops: Conv, Gemm, MatMul, Add, Mul, MaxPool, AveragePool, GlobalAveragePool, Relu, LeakyRelu,
Sigmoid, Tanh, Softmax, LogSoftmax, Flatten, Reshape, Transpose, Concat, BatchNormalization,
Dropout, Identity, Constant; square kernels, one input, a batch axis first. Anything else is named
and refused. The network takes the pixels of an image in whatever shape, and gives a number a class;
where --dataset does not say what it is for, that is the dataset of the run it is put into.

Examples:
  cbnet import --onnx resnet.onnx --out runs/mine/resnet.safetensors --dataset fmnist
  cbnet import --onnx net.onnx --out runs/mine/net.safetensors --mean 0.1307 --deviation 0.3081
  cbnet eval --run runs/mine --model resnet --dataset fmnist
)"};

/// Says what the models beside the file are for; "unknown" when there are none that say it.
PredictorInfo info_of_run(const std::filesystem::path& out) {
  PredictorInfo unknown;
  unknown.dataset = "unknown";
  const std::filesystem::path folder = out.has_parent_path() ? out.parent_path() : ".";
  if (!std::filesystem::is_directory(folder)) return unknown;
  std::vector<std::string> names = models_in(folder);
  std::erase(names, out.stem().string());
  for (const std::string& name : names) {
    try {
      PredictorInfo info = load_predictor(folder, name)->info();
      if (info.dataset != "unknown") return info;
    } catch (const std::exception&) {
      continue;  // what cannot be loaded says nothing, and is no hindrance here
    }
  }
  return unknown;
}

}  // namespace

int run_import(const Arguments& arguments) {
  CommandLine line(kManual);
  line.add("Import", "onnx", "FILE", "the file to read; - is the standard input");
  line.add_output("Import", "out", "MODEL", "the model file to write (.safetensors)");
  line.add("Import", "output", "NAME", "the graph's output to import, where it has several");
  line.add("Import", "dataset", "D", "what it was trained on: mnist, fmnist, kmnist or cifar10");
  line.add("Import", "mean", "N,…",
           "it was trained on (pixel - N) / deviation, one for all channels or one each");
  line.add("Import", "deviation", "N,…", "pixels being 0 to 1 (default: 1)");
  if (!line.parse(arguments, false)) return 0;
  const std::string file = line.required("onnx");
  const std::filesystem::path out = line.required("out");
  const std::vector<std::string> taken = model_names();
  if (out.extension() != ".safetensors") line.fail("--out must end in .safetensors");
  if (std::find(taken.begin(), taken.end(), out.stem().string()) != taken.end())
    line.fail(concat("--out may not be called ", out.stem().string(), ": the paper's models are"));
  OnnxImport options;
  options.output = line.text("output");
  if (line.has("dataset")) options.dataset = data::to_string(line.dataset());
  if (line.has("mean") || line.has("deviation")) {
    Normalisation& pixels = options.normalisation;
    pixels.mean = line.has("mean") ? line.numbers("mean") : std::vector<double>{0.0};
    pixels.deviation = line.has("deviation") ? line.numbers("deviation") : std::vector<double>{1.0};
    // One for all stands for each.
    pixels.mean.resize(std::max(pixels.mean.size(), pixels.deviation.size()), pixels.mean.front());
    pixels.deviation.resize(pixels.mean.size(), pixels.deviation.front());
    for (const double deviation : pixels.deviation)
      if (!(deviation > 0)) line.fail("--deviation must be positive");
  }

  if (out.stem().extension() == ".state") line.fail("--out may not end in .state.safetensors: training's do");
  const PredictorInfo beside = info_of_run(out);
  const std::string& of_run = beside.dataset;
  if (of_run != "unknown" && options.dataset == of_run.substr(0, of_run.find('-'))) options.dataset = of_run;
  if (options.dataset == "unknown") options.dataset = of_run;
  if (of_run != "unknown" && options.dataset != of_run)
    throw InputError(out.string(), concat("a run folder of ", options.dataset), concat("one of ", of_run),
                     "choose another folder");

  options.image = beside.input;
  const auto known = data::known_dataset(options.dataset);
  if (options.image.empty() && known) options.image = data::image_shape(*known);
  Model model = import_onnx(file, options);
  model.info.classes = beside.classes;
  if (known) model.info.classes.clear();
  require_usable(model, file);
  const PredictorInfo info = info_of(model, out.stem().string());
  const auto describe_task = [](const PredictorInfo& of) {
    return concat(data::picture_text(of.input), " pictures in ", of.classes.size(), " classes");
  };
  if (of_run != "unknown" && (info.input != beside.input || info.classes.size() != beside.classes.size())) {
    throw InputError(file, concat("a network of ", describe_task(beside), ", as those of the run"),
                     concat("one of ", describe_task(info)), "choose another folder");
  }
  save_model(out, *model.network, model.info);
  const Cost cost = total_cost(model.network->spec());
  Json report = machine_json(line.device());
  report["onnx"] = file;
  report["model_file"] = out.string();
  report["dataset"] = model.info.dataset;
  report["macs"] = cost.macs;
  report["parameters"] = cost.parameters;
  std::cout << "wrote " << out.string() << ": " << model.network->spec().trunk.size() << " layers, "
            << grouped(cost.macs) << " MACs, " << grouped(cost.parameters) << " parameters, dataset "
            << model.info.dataset << '\n';
  write_report(line.json_file(), report);
  return 0;
}

}  // namespace cbnet::cli
