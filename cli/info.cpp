#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>

#include "cbnet/plan_predictor.h"
#include "cli/commands.h"
#include "console/options.h"
#include "console/output.h"
#include "models/checkpoint.h"
#include "models/onnx/onnx.h"
#include "models/zoo.h"
#include "tensor/cpu/isa.h"
#include "tensor/cuda/backend.h"
#include "tensor/error.h"

namespace cbnet::cli {
namespace {

constexpr Manual kManual{
    "cbnet", "info", "[--model FILE | --network NAME] [options]",
    "Tells what this build and machine compute with, and lists the built-in networks; with --model,\n"
    "what is in a model file, layer by layer, or in a plan, step by step; with --network, a built-in\n"
    "network in JSON, as `cbnet train --model` takes it from a file. MACs are the multiply-adds of one\n"
    "image.\n",
    R"(CBNET_FORCE_ISA=scalar (or another name of the list) pins the instruction set.

Examples:
  cbnet info
  cbnet info --model runs/fmnist/branchynet.safetensors
  cbnet info --model runs/fmnist/cbnet.int8.plan
  cbnet info --network resnet20 --classes 5 > mine.json
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

/// Holds one line for people, and the same for the report.
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
    specs.push_back(autoencoder_spec(data::to_string(id), OutputActivation::sigmoid, data::image_shape(id)));
    names.push_back(concat("autoencoder (", data::to_string(id), ")"));
  }
  for (const NetworkEntry& entry : networks()) {
    if (std::find(names.begin(), names.end(), entry.name) != names.end()) continue;
    specs.push_back(entry.make({{3, 32, 32}, 10}));
    names.emplace_back(entry.name);
  }
  Table table({"built-in network", "input", "MACs to each exit", "parameters"});
  Json list = Json::array();
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const std::vector<std::int64_t> macs = macs_by_exit(specs[i]);
    const std::int64_t parameters = total_cost(specs[i]).parameters;
    table.add({names[i], to_string(specs[i].input), exits_text(macs), grouped(parameters)});
    list.push_back({{"network", names[i]},
                    {"input", specs[i].input},
                    {"macs_by_exit", macs},
                    {"parameters", parameters}});
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

std::string thresholds_text(const std::vector<double>& thresholds) {
  std::string out;
  for (const double threshold : thresholds) out += concat(out.empty() ? "" : ", ", threshold);
  return out.empty() ? "none" : out + " nats";
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
                     {"network", parse_json(to_json(spec))},
                     {"layers", layers_json(spec)},
                     {"macs", total.macs},
                     {"macs_by_exit", macs},
                     {"parameters", total.parameters},
                     {"weight_bytes", total.parameters * kWeightBytes},
                     {"thresholds", info.thresholds},
                     {"normalisation", to_text(info.normalisation)},
                     {"rescale", info.rescale},
                     {"provenance", json_or_text(info.provenance)}};
  std::cout << '\n' << file << ": " << info.model << ", trained on " << info.dataset << "\n\n";
  print_layers(spec);
  std::cout << "\n  input          " << to_string(spec.input) << ", " << to_text(info.normalisation) << '\n'
            << "  MACs to exits  " << exits_text(macs) << '\n'
            << "  weights        " << grouped(total.parameters * kWeightBytes) << " bytes\n"
            << "  thresholds     " << thresholds_text(info.thresholds) << '\n'
            << "  rescale        " << info.rescale << '\n'
            << "  provenance     " << info.provenance << '\n';
}

Json steps_json(const std::vector<runtime::StepInfo>& steps) {
  Json out = Json::array();
  for (const runtime::StepInfo& step : steps) {
    out.push_back({{"name", step.name},
                   {"macs", step.macs},
                   {"weight_bytes", step.weight_bytes},
                   {"activation_bytes", step.activation_bytes},
                   {"winograd", step.winograd},
                   {"int8", step.int8}});
  }
  return out;
}

void print_steps(const runtime::Plan& plan) {
  Table table({"step", "multiplies", "MACs", "weights, bytes", "activations, bytes"}, 2);
  std::int64_t macs = 0;
  for (const runtime::StepInfo& step : plan.steps()) {
    macs += step.macs;
    table.add({step.name,
               step.int8       ? "bytes"
               : step.winograd ? "Winograd"
               : step.macs > 0 ? "f32"
                               : "",
               grouped(step.macs), grouped(step.weight_bytes), grouped(step.activation_bytes)});
  }
  table.add({"total", "", grouped(macs), grouped(plan.weight_bytes()), ""});
  table.print(std::cout);
}

void describe_plan(const std::string& file, const CompiledGraph& compiled, Json& report) {
  const CompiledInfo& info = compiled.info;
  const runtime::Plan plan(compiled.graph);
  const runtime::Graph& graph = plan.graph();
  const Shape& made = value_shape(graph, static_cast<std::int32_t>(graph.nodes.size()));
  std::vector<double> thresholds;
  for (const runtime::Exit& exit : graph.exits) thresholds.push_back(exit.threshold);
  report["plan"] = {{"file", file},
                    {"model", info.model},
                    {"dataset", info.dataset},
                    {"precision", to_string(info.precision)},
                    {"sparsity", info.sparsity},
                    {"input", graph.input},
                    {"output", made},
                    {"classifies", graph.classifies},
                    {"steps", steps_json(plan.steps())},
                    {"macs_by_exit", plan.macs_by_exit()},
                    {"thresholds", thresholds},
                    {"weight_bytes", plan.weight_bytes()},
                    {"arena_bytes", plan.arena_bytes()},
                    {"tile_images", plan.tile_images()},
                    {"isa", to_string(plan.isa())},
                    {"compiled", json_or_text(graph.provenance)}};
  std::cout << '\n'
            << file << ": plan of " << info.model << ", trained on " << info.dataset << ", "
            << to_string(info.precision);
  if (info.sparsity > 0) std::cout << ", " << percent(info.sparsity) << " of the large layers left out";
  std::cout << "\n\n";
  print_steps(plan);
  std::cout << "\n  input          " << to_string(graph.input) << '\n'
            << "  output         " << to_string(made) << (graph.classifies ? ", logits" : "") << '\n'
            << "  MACs to exits  " << exits_text(plan.macs_by_exit()) << "; as trained "
            << exits_text(info.macs_by_exit) << '\n'
            << "  parameters     " << grouped(info.parameter_count) << " as trained\n"
            << "  weights        " << grouped(plan.weight_bytes()) << " bytes\n"
            << "  arena          " << grouped(static_cast<std::int64_t>(plan.arena_bytes()))
            << " bytes a thread, " << plan.tile_images() << " images at a time\n"
            << "  thresholds     " << thresholds_text(thresholds) << '\n'
            << "  packed for     " << to_string(plan.isa()) << '\n'
            << "  accuracy       " << percent(info.accuracy) << " (fp32 " << percent(info.fp32_accuracy)
            << ") of " << grouped(info.validation_images)
            << (info.may_have_trained ? " images that may have trained it\n" : " validation images\n");
}

bool is_plan(const std::string& file) {
  const std::string magic = "cbnetpln";
  std::string bytes(magic.size(), '\0');
  std::ifstream(file, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes == magic;
}

/// Prints a network of the list as JSON, for images of --input and as many classes.
int print_network(const CommandLine& line) {
  ImageTask task{{3, 32, 32}, line.has("classes") ? line.integer("classes", 2, 256) : 10};
  if (line.has("input")) {
    task.input.clear();
    for (const double size : line.numbers("input")) task.input.push_back(std::llround(size));
    if (task.input.size() != 3) line.fail("--input takes channels, height and width, as 3,32,32");
  }
  const Json network = parse_json(to_json(make_network(line.text("network"), task)));
  std::cout << network.dump(2) << '\n';
  write_report(line.json_file(), network);
  return 0;
}

}  // namespace

int run_info(const Arguments& arguments) {
  CommandLine line(kManual);
  line.add(
      "Model", "model", "FILE",
      "a model file (.safetensors) that `cbnet train` or `cbnet import` wrote, or a plan of `cbnet compile`; "
      "- is the standard input");
  line.add("Model", "plan", "FILE", "a plan, as --model takes it too");
  line.add("Network", "network", "NAME", "a built-in network");
  line.add("Network", "input", "C,H,W", "channels, height and width of its images (default: 3,32,32)");
  line.add("Network", "classes", "N", "classes that it tells apart (default: 10)");
  if (!line.parse(arguments, false)) return 0;
  if (line.has("network")) return print_network(line);
  if (line.has("model") && line.has("plan")) line.fail("--model and --plan are one or the other");
  Json report = machine_json(line.device());
  const std::string file = line.has("plan") ? line.required("plan") : line.text("model");
  if (line.has("plan") || (line.has("model") && is_plan(line.required("model")))) {
    const CompiledGraph compiled = load_compiled_graph(file);
    describe_machine(report);
    describe_plan(file, compiled, report);
  } else if (line.has("model")) {
    const Model model = load_model(line.required("model"));
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
