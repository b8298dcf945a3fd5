#include <iostream>

#include "cli/commands.h"
#include "console/options.h"
#include "console/output.h"
#include "models/checkpoint.h"
#include "models/onnx/onnx.h"
#include "models/zoo.h"
#include "tensor/cuda/backend.h"
#include "tensor/error.h"
#include "tensor/isa.h"

namespace cbnet::cli {
namespace {

constexpr Manual kManual{
    "cbnet", "info", "[--model FILE] [options]",
    "Tells what this build and machine compute with, and lists the built-in networks; with --model,\n"
    "what is in a model file, layer by layer. MACs are the multiply-adds of one image.\n",
    R"(CBNET_FORCE_ISA=scalar (or another name of the list) pins the instruction set.

Examples:
  cbnet info
  cbnet info --model runs/fmnist/branchynet.safetensors
  cbnet info --json machine.json --quiet
)"};

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::string exits_text(const std::vector<std::int64_t>& macs) {
  std::vector<std::string> words;
  words.reserve(macs.size());
  for (const std::int64_t number : macs) words.push_back(grouped(number));
  return join(words);
}

/// One line for people, and the same for the report.
void describe_machine(Json& report) {
  std::vector<std::string> isas;
  for (const Isa isa : available_isas()) isas.emplace_back(to_string(isa));
  const std::vector<std::string> gpus = cuda::device_descriptions();
  report["available_isas"] = isas;
  report["onnx"] = onnx_description();
  report["cuda"] = {{"module", cuda::module_description()}, {"devices", gpus}};
  std::cout << "cbnet " << report["version"].get<std::string>() << '\n'
            << "  ISA          " << report["isa"].get<std::string>() << " (available: " << join(isas) << ")\n"
            << "  BLAS         " << report["blas"].get<std::string>() << '\n'
            << "  threads      " << report["threads"] << '\n'
            << "  wait policy  " << report["wait_policy"].get<std::string>() << '\n'
            << "  CUDA         " << cuda::module_description() << '\n'
            << "  ONNX         " << onnx_description() << '\n';
  for (const std::string& gpu : gpus) std::cout << "               " << gpu << '\n';
}

void list_networks(Json& report) {
  std::vector<NetworkSpec> specs{lenet_spec(), branchynet_spec(), classifier_spec()};
  std::vector<std::string> names{"lenet", "branchynet", "classifier"};
  for (const data::DatasetId id : data::kAllDatasets) {
    specs.push_back(autoencoder_spec(data::to_string(id), OutputActivation::sigmoid));
    names.push_back(concat("autoencoder (", data::to_string(id), ")"));
  }
  Table table({"built-in network", "MACs to each exit", "parameters"});
  Json list = Json::array();
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const std::vector<std::int64_t> macs = macs_by_exit(specs[i]);
    const std::int64_t parameters = total_cost(specs[i]).parameters;
    table.add({names[i], exits_text(macs), grouped(parameters)});
    list.push_back({{"network", names[i]}, {"macs_by_exit", macs}, {"parameters", parameters}});
  }
  report["networks"] = std::move(list);
  std::cout << '\n';
  table.print(std::cout);
  std::cout << "\n  cbnet is an autoencoder followed by the classifier.\n";
}

Json layers_json(const NetworkSpec& spec) {
  Json layers = Json::array();
  for (const LayerCost& layer : layer_costs(spec)) {
    layers.push_back({{"name", layer.name},
                      {"description", layer.description},
                      {"output", layer.output},
                      {"macs", layer.macs},
                      {"parameters", layer.parameters}});
  }
  return layers;
}

void print_layers(const NetworkSpec& spec) {
  Table table({"layer", "description", "output", "MACs", "parameters"}, 3);
  for (const LayerCost& layer : layer_costs(spec)) {
    table.add({layer.name, layer.description, to_string(layer.output), grouped(layer.macs),
               grouped(layer.parameters)});
  }
  const Cost total = total_cost(spec);
  table.add({"total", "", "", grouped(total.macs), grouped(total.parameters)});
  table.print(std::cout);
}

void describe_model(const std::string& file, const Model& model, Json& report) {
  constexpr std::int64_t kWeightBytes = 4;
  const ModelInfo& info = model.info;
  const NetworkSpec& spec = model.network->spec();
  const Cost total = total_cost(spec);
  const std::vector<std::int64_t> macs = macs_by_exit(spec);
  report["model"] = {{"file", file},
                     {"model", info.model},
                     {"dataset", info.dataset},
                     {"input", spec.input},
                     {"layers", layers_json(spec)},
                     {"macs", total.macs},
                     {"macs_by_exit", macs},
                     {"parameters", total.parameters},
                     {"weight_bytes", total.parameters * kWeightBytes},
                     {"thresholds", info.thresholds},
                     {"normalisation", info.normalisation},
                     {"rescale", info.rescale},
                     {"provenance", json_or_text(info.provenance)}};
  std::cout << '\n' << file << ": " << info.model << ", trained on " << info.dataset << "\n\n";
  print_layers(spec);
  std::cout << "\n  input          " << to_string(spec.input) << ", " << info.normalisation << '\n'
            << "  MACs to exits  " << exits_text(macs) << '\n'
            << "  weights        " << grouped(total.parameters * kWeightBytes) << " bytes\n"
            << "  thresholds     ";
  if (info.thresholds.empty()) std::cout << "none";
  for (std::size_t e = 0; e < info.thresholds.size(); ++e)
    std::cout << (e > 0 ? ", " : "") << info.thresholds[e];
  std::cout << (info.thresholds.empty() ? "\n" : " nats\n") << "  rescale        " << info.rescale << '\n'
            << "  provenance     " << info.provenance << '\n';
}

}  // namespace

int run_info(const Arguments& arguments) {
  CommandLine line(kManual);
  line.add("Model", "model", "FILE",
           "a model file (.safetensors) that `cbnet train` wrote; - is the standard input");
  if (!line.parse(arguments, false)) return 0;
  Json report = machine_json(line.device());
  if (line.has("model")) {
    const std::string file = line.required("model");
    const Model model = load_model(file);
    describe_machine(report);
    describe_model(file, model, report);
  } else {
    describe_machine(report);
    list_networks(report);
  }
  write_report(line.json_file(), report);
  return 0;
}

}  // namespace cbnet::cli
