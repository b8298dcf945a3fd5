#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>

#include "cbnet/pipeline.h"
#include "cbnet/predictor.h"
#include "cli/commands.h"
#include "console/options.h"
#include "console/output.h"
#include "console/progress.h"
#include "data/picture.h"
#include "models/kinds/log_softmax.h"
#include "models/kinds/softmax.h"
#include "models/networks.h"
#include "models/onnx/onnx.h"
#include "tensor/cpu/isa.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tensor/parallel.h"

namespace cbnet::cli {
namespace {

constexpr Manual kManual{
    "cbnet", "train", "--dataset D | --data PATH --out RUN [options]",
    "Trains the paper's models from images: LeNet (the baseline), BranchyNet (with an early exit), the\n"
    "converting autoencoder, and CBNet (the autoencoder and BranchyNet's first layers); or another\n"
    "network, and CBNet made from it. RUN is the folder that all of them are written to. The test\n"
    "images are not touched.\n",
    R"(--model takes one of the paper's models; a network by name (`cbnet info` lists them); or a file: a
network described in JSON, as `cbnet info --json` prints it, an ONNX file or a model file, whose
weights are then trained further. With --method cbnet the network becomes a CBNet: it is cut at its
first side exit or, where it has none, behind K of its weighted layers, and the autoencoder converts
for that. --k auto tries K from 1 up, each for a short while, prints what it found, and takes the
first that is nearly as accurate as the best.

Without options the recipe for the dataset is the one with the best validation accuracy. The
recipe options change single values of it; a JSON file changes any (--print-recipe shows all names):
  {"branchynet": {"epochs": 20}, "threshold": "auto", "target": "random_easy"}
"network" there is how any network but the paper's is trained.
Training is saved after every epoch: the same command with --resume continues where it was stopped,
and ends with the same bits. With more epochs it goes on from a finished training: to the bits of
all of them at once where the schedule is constant, else it says what differs. The same seed and the
same number of threads give the same model files.

Examples:
  cbnet train --dataset fmnist --out runs/fmnist
  cbnet train --dataset mnist --out runs/quick --epochs 1 --threads 2
  cbnet train --dataset kmnist --out runs/kmnist --seed 7 --threshold auto --resume
  cbnet train --data flowers --out runs/flowers --resize 40x24
  cbnet train --dataset cifar10 --model b-resnet20 --out runs/resnet --threshold 0.3,0.5
  cbnet train --dataset cifar10 --model alexnet --method cbnet --k auto --out runs/alexnet
  cbnet train --dataset fmnist --print-recipe > mine.json
  cbnet train --dataset fmnist --out runs/mine --config mine.json --model branchynet
)"};

enum class Kind { whole, number, word, flag };

/// This is an option that changes the recipe, by its key in the JSON of recipe_from_json.
struct Override {
  const char* option;
  const char* key;
  Kind kind;
  bool each_stage;  // the key stands in each of parts_of(recipe)
  const char* help;
};

constexpr std::array<Override, 33> kOverrides{{
    {"epochs", "epochs", Kind::whole, true, "epochs of every stage"},
    {"batch-size", "batch_size", Kind::whole, true, "images a step"},
    {"learning-rate", "learning_rate", Kind::number, true, "at the start"},
    {"schedule", "schedule", Kind::word, true, "of the learning rate: constant, step or cosine"},
    {"optimizer", "optimizer", Kind::word, true, "adam, or sgd with Nesterov's momentum"},
    {"weight-decay", "weight_decay", Kind::number, true, "decoupled from Adam's gradient, added to SGD's"},
    {"warmup-epochs", "warmup_epochs", Kind::whole, true, "epochs in which the learning rate rises"},
    {"patience", "patience", Kind::whole, true,
     "stop after N epochs without a better validation figure, and keep the best epoch's weights"},
    {"shift", "shift", Kind::whole, true, "augmentation: move images by up to N pixels"},
    {"flip", "flip", Kind::flag, true, "augmentation: mirror images left and right"},
    {"crop", "crop", Kind::whole, true,
     "augmentation: cut out of images mirrored N pixels beyond their border"},
    {"rotation", "rotation", Kind::number, true, "augmentation: turn images by up to N degrees"},
    {"scale", "scale", Kind::number, true,
     "augmentation: stretch or shrink each axis by up to this fraction"},
    {"shear", "shear", Kind::number, true, "augmentation: slant images by up to N degrees"},
    {"elastic", "elastic", Kind::number, true, "augmentation: bend images by up to N pixels"},
    {"copies", "copies", Kind::whole, true,
     "augment N copies of each image once; an epoch has the images and their copies"},
    {"mixup", "mixup", Kind::number, true, "mix copies with up to this share of another image"},
    {"teacher", "teacher", Kind::word, true, "learn from a model of the run by name, or from a model file"},
    {"temperature", "temperature", Kind::number, true, "of the teacher's probabilities (default: 1)"},
    {"teacher-weight", "teacher_weight", Kind::number, true, "of the teacher in the loss (default: 0.8)"},
    {"normalisation", "normalisation", Kind::word, false,
     "of pixels, by mean and deviation of each channel: none, or measured on the training images"},
    {"validation-fraction", "validation_fraction", Kind::number, false,
     "share of the training images held out"},
    {"early-loss-weight", "early_loss_weight", Kind::number, false, "of a side exit, in the joint loss"},
    {"final-loss-weight", "final_loss_weight", Kind::number, false, "of the last exit"},
    {"threshold", "threshold", Kind::word, false,
     "entropy below which an image leaves at a side exit, in nats, or auto; one for all exits or T,T,…"},
    {"auto-margin", "auto_margin", Kind::number, false, "accuracy that an automatic threshold may cost"},
    {"target", "target", Kind::word, false, "easy image to convert into: fixed_image or random_easy"},
    {"output-activation", "output", Kind::word, false, "of the autoencoder: sigmoid or softmax"},
    {"reconstruction", "reconstruction", Kind::word, false, "the autoencoder's loss: bce or mse"},
    {"activity-l1", "activity_l1", Kind::number, false, "weight of the penalty on activities"},
    {"encoder-target", "encoder_target", Kind::word, false,
     "image that a code is also decoded into in training: none, prototype, random_images or permuted"},
    {"encoder-weight", "encoder_weight", Kind::number, false, "of its error in the loss"},
    {"activity-scope", "activity_scope", Kind::word, false, "what it covers: code or all_hidden"},
}};

/// An autoencoder learns images, not classes.
bool for_classifiers(const Override& entry) {
  const std::string key = entry.key;
  return key == "mixup" || key == "teacher" || key == "temperature" || key == "teacher_weight";
}

Json value_of(const CommandLine& line, const Override& entry) {
  switch (entry.kind) {
    case Kind::whole:
      return line.integer(entry.option);
    case Kind::number:
      return line.number(entry.option);
    case Kind::flag:
      return true;
    case Kind::word:
      break;
  }
  const std::string text = line.text(entry.option);
  if (std::string(entry.option) != "threshold" || text == "auto") return text;
  return line.thresholds();
}

/// Returns the dataset's recipe, changed by --config and then by the single options.
Recipe effective_recipe(const CommandLine& line, const data::Source& source, const std::string& network) {
  constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;
  Recipe recipe = default_recipe(source.id ? data::to_string(*source.id) : "", network);
  const std::string config = line.text("config");
  if (!config.empty()) recipe = recipe_from_json(read_file(config, kMaxConfigBytes), recipe, config);
  Json changes = Json::object();
  for (const Override& entry : kOverrides) {
    if (!line.has(entry.option)) continue;
    if (!entry.each_stage) {
      changes[entry.key] = value_of(line, entry);
      continue;
    }
    for (const auto& part : parts_of(recipe)) {
      if (part.first == std::string("autoencoder") && for_classifiers(entry)) continue;
      changes[part.first][entry.key] = value_of(line, entry);
    }
  }
  if (line.has("mean") || line.has("deviation")) {
    if (!line.has("mean") || !line.has("deviation")) line.fail("--mean and --deviation go together");
    changes["normalisation"] = {{"mean", line.numbers("mean")}, {"deviation", line.numbers("deviation")}};
  }
  const std::string text = changes.dump(-1, ' ', false, Json::error_handler_t::replace);
  return recipe_from_json(text, recipe, "the command line");
}

bool is_of_the_paper(const std::string& model) {
  const std::vector<std::string> known{"lenet", "branchynet", "autoencoder", "cbnet", "all"};
  return std::find(known.begin(), known.end(), model) != known.end();
}

/// Returns the network that --model names, where it is not the paper's: of the list, or a file.
OtherNetwork other_network(const std::string& model, const ImageTask& task) {
  const std::filesystem::path file = model;
  const std::string extension = file.extension().string();
  if (extension != ".json" && extension != ".onnx" && extension != ".safetensors")
    return {model, make_network(model, task), {}};
  constexpr std::size_t kMaxSpecBytes = std::size_t{1} << 24;
  OtherNetwork out{file.stem().string(), {}, {}};
  if (extension == ".json") {
    try {
      out.spec = network_spec_from_json(read_file(model, kMaxSpecBytes));
    } catch (const InputError& error) {
      throw InputError(concat(model, ": ", error.what()));
    }
  } else {
    OnnxImport options;
    options.image = task.input;
    const Model loaded = extension == ".onnx" ? import_onnx(model, options) : load_model(model);
    out.spec = loaded.network->spec();
    out.weights = loaded.network->state_dict();
  }
  // The loss takes logits.
  LayerSpecs& trunk = out.spec.trunk;
  while (!trunk.empty() && (trunk.back().is<kinds::Softmax>() || trunk.back().is<kinds::LogSoftmax>()))
    trunk.pop_back();
  const auto require_classes = [&](const Shape& output) {
    if (out.spec.input == task.input && output == Shape{task.classes}) return;
    throw InputError(
        model, concat("a network from ", task.input, " to ", task.classes, " classes at every exit"),
        concat("one from ", out.spec.input, " to ", output), "--resize and --channels change the pictures");
  };
  require_classes(trunk_shape(out.spec, static_cast<std::int64_t>(trunk.size())));
  for (const ExitSpec& exit : out.spec.exits)
    require_classes(shapes_along(exit.branch, trunk_shape(out.spec, exit.after)).back());
  if (is_of_the_paper(out.name) || out.name == "classifier" || out.name.ends_with(".state"))
    throw InputError(model, "a file of another name than the paper's models and training's states", out.name,
                     "rename it");
  return out;
}

/// Returns whether a CBNet is asked for.
bool chosen_method(const CommandLine& line, bool is_other) {
  const std::string method = line.has("method") ? line.text("method") : "network";
  if (method != "network" && method != "cbnet")
    line.fail(concat("--method must be network or cbnet; got '", method, "'"));
  if (method == "cbnet" && !is_other)
    line.fail("--method cbnet is for other networks than the paper's; --model cbnet makes theirs");
  return method == "cbnet";
}

void describe_start(ProgressBar& bar, const data::Dataset& dataset, const PipelineOptions& options) {
  bar.say(concat("dataset ", dataset.name, ": ", grouped(dataset.train.size()), " training images, ",
                 grouped(dataset.test.size()), " test images", dataset.cut_off ? " cut off from them" : "",
                 ", ", data::picture_text(dataset.train.image_shape()), ", ", dataset.classes.size(),
                 " classes"));
  for (const std::string& file : dataset.files) bar.say("  " + file);
  bar.say("recipe " + to_json(options.recipe));
  bar.say(concat("seed ", options.seed, ", threads ", num_threads(), ", ISA ", to_string(active_isa())));
}

/// Reads what run.json says, and where everything lies.
Json read_run(const RunFolder& folder) {
  Json report = parse_json(read_file(folder.run_file()));
  Json files = Json::object();
  for (const std::string& name : models_in(folder.path()))
    if (name != "cbnet") files[name] = folder.model_file(name).string();
  if (has_model(folder.path(), "cbnet")) files["cbnet"] = folder.cbnet_file().string();
  files["run"] = folder.run_file().string();
  files["log"] = folder.log_file().string();
  report["model_files"] = std::move(files);
  return report;
}

void print_summary(const Json& run) {
  std::cout << "\nOn the " << grouped(run.value("validation_images", std::int64_t{0}))
            << " validation images:\n";
  for (const auto& [stage, record] : run.at("stages").items()) {
    std::string text;
    for (const auto& [name, figure] : record.at("validation").items()) {
      const auto value = figure.get<double>();
      const bool fraction =
          name.find("accuracy") != std::string::npos || name.find("rate") != std::string::npos;
      text += concat(text.empty() ? "" : ", ", name, " ", fraction ? percent(value) : concat(value));
    }
    std::cout << "  " << stage << ": " << text << "; trained for "
              << duration_text(record.at("seconds").get<double>()) << '\n';
  }
  std::cout << "\nFiles:\n";
  for (const auto& [name, file] : run.at("model_files").items()) {
    std::cout << "  " << name << ": " << file.get<std::string>() << '\n';
  }
}

/// Prints what came of it and writes the report.
void finish(const RunFolder& folder, const std::string& device, const std::string& json_file) {
  try {
    Json report = read_run(folder);
    report["device"] = device;
    print_summary(report);
    write_report(json_file, report);
  } catch (const Json::exception& error) {
    throw InputError(folder.run_file().string(), "the JSON that training writes", error.what());
  }
}

void declare(CommandLine& line) {
  line.add_dataset_options(kDatasetNames);
  line.add("Training", "out", "RUN", "the folder to write");
  line.add("Training", "model", "M",
           "lenet, branchynet, autoencoder, cbnet, all (default), a network of the list, or a file");
  line.add("Training", "method", "METHOD",
           "network (default): train it; cbnet: make a CBNet from a network that is not the paper's");
  line.add("Training", "k", "K", "weighted layers of its lightweight classifier, or auto (default)");
  line.add("Training", "seed", "N", "of every random choice (default: 1)");
  line.add("Training", "resume", "", "continue; keep what is finished");
  line.add("Training", "config", "FILE", "changes to the recipe, as JSON; - is the standard input");
  line.add("Training", "print-recipe", "", "print the recipe as JSON and stop");
  line.add("Recipe", "mean", "N,…",
           "of pixels from 0 to 1, one for all channels or one each, with --deviation");
  line.add("Recipe", "deviation", "N,…", "likewise: networks read (pixel - mean) / deviation");
  for (const Override& entry : kOverrides) {
    const char* placeholder = entry.kind == Kind::flag ? "" : entry.kind == Kind::word ? "W" : "N";
    line.add("Recipe", entry.option, placeholder, entry.help);
  }
}

}  // namespace

int run_train(const Arguments& arguments) {
  CommandLine line(kManual);
  line.allow_other_devices();
  declare(line);
  if (!line.parse(arguments, false)) return 0;
  const data::Source source = line.source();
  const std::string model = line.has("model") ? line.text("model") : "all";
  const bool is_other = !is_of_the_paper(model);
  PipelineOptions options;
  options.recipe = effective_recipe(line, source, is_other ? model : "");
  if (line.is_set("print-recipe")) {
    const Json recipe = parse_json(to_json(options.recipe));
    std::cout << recipe.dump(2) << '\n';
    write_report(line.json_file(), recipe);
    return 0;
  }
  const RunFolder folder(line.required("out"));
  options.model = model;
  options.convert = chosen_method(line, is_other);
  if (line.has("k") && line.text("k") != "auto") options.k = line.integer("k");
  if (line.has("k") && (!options.convert || options.k < 0))
    line.fail("--k takes auto or 1, 2, … with --method cbnet");
  options.resume = line.is_set("resume");
  if (line.has("seed")) options.seed = line.unsigned_integer("seed");
  const std::string device = line.device();

  const data::Dataset dataset = data::load_dataset(source);
  if (is_other) {
    options.network = other_network(
        model, {dataset.train.image_shape(), static_cast<std::int64_t>(dataset.classes.size())});
  }
  {
    ProgressBar bar(std::cerr, std::cout, ::isatty(STDERR_FILENO) != 0, line.quiet());
    options.progress = [&](const Progress& progress) { bar.update(progress); };
    options.say = [&](const std::string& text) { bar.say(text); };
    describe_start(bar, dataset, options);
    run_pipeline(dataset, folder, options);
  }
  finish(folder, device, line.json_file());
  return 0;
}

}  // namespace cbnet::cli
