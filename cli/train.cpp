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
#include "tensor/cpu/isa.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tensor/parallel.h"

namespace cbnet::cli {
namespace {

constexpr Manual kManual{
    "cbnet", "train", "--dataset D | --data PATH --out RUN [options]",
    "Trains the paper's models from images: LeNet (the baseline), BranchyNet (with an early exit), the\n"
    "converting autoencoder, and CBNet (the autoencoder and BranchyNet's first layers). RUN is the\n"
    "folder that all of them are written to. The test images are not touched.\n",
    R"(Without options the recipe for the dataset is the one with the best validation accuracy. The
recipe options change single values of it; a JSON file changes any (--print-recipe shows all names):
  {"branchynet": {"epochs": 20}, "threshold": "auto", "target": "random_easy"}
Training is saved after every epoch: the same command with --resume continues where it was stopped,
and ends with the same bits. With more epochs it goes on from a finished training: to the bits of
all of them at once where the schedule is constant, else it says what differs. The same seed and the
same number of threads give the same model files.

Examples:
  cbnet train --dataset fmnist --out runs/fmnist
  cbnet train --dataset mnist --out runs/quick --epochs 1 --threads 2
  cbnet train --dataset kmnist --out runs/kmnist --seed 7 --threshold auto --resume
  cbnet train --data flowers --out runs/flowers --resize 40x24
  cbnet train --dataset fmnist --print-recipe > mine.json
  cbnet train --dataset fmnist --out runs/mine --config mine.json --model branchynet
)"};

enum class Kind { whole, number, word, flag };

/// An option that changes the recipe, by its key in the JSON of recipe_from_json.
struct Override {
  const char* option;
  const char* key;
  Kind kind;
  bool each_stage;  // the key stands in "lenet", "branchynet" and "autoencoder"
  const char* help;
};

constexpr std::array<Override, 20> kOverrides{{
    {"epochs", "epochs", Kind::whole, true, "epochs of every stage"},
    {"batch-size", "batch_size", Kind::whole, true, "images a step"},
    {"learning-rate", "learning_rate", Kind::number, true, "of Adam, at the start"},
    {"schedule", "schedule", Kind::word, true, "of the learning rate: constant, step or cosine"},
    {"weight-decay", "weight_decay", Kind::number, true, "decoupled weight decay"},
    {"shift", "shift", Kind::whole, true, "augmentation: move images by up to N pixels"},
    {"flip", "flip", Kind::flag, true, "augmentation: mirror images left and right"},
    {"crop", "crop", Kind::whole, true,
     "augmentation: cut out of images mirrored N pixels beyond their border"},
    {"rotation", "rotation", Kind::number, true, "augmentation: turn images by up to N degrees"},
    {"normalisation", "normalisation", Kind::word, false,
     "of pixels, by mean and deviation of each channel: none, or measured on the training images"},
    {"validation-fraction", "validation_fraction", Kind::number, false,
     "share of the training images held out"},
    {"early-loss-weight", "early_loss_weight", Kind::number, false, "of BranchyNet's early exit"},
    {"final-loss-weight", "final_loss_weight", Kind::number, false, "of BranchyNet's final exit"},
    {"threshold", "threshold", Kind::word, false,
     "entropy below which an image leaves early, in nats, or auto"},
    {"auto-margin", "auto_margin", Kind::number, false, "accuracy that an automatic threshold may cost"},
    {"target", "target", Kind::word, false, "easy image to convert into: fixed_image or random_easy"},
    {"output-activation", "output", Kind::word, false, "of the autoencoder: sigmoid or softmax"},
    {"reconstruction", "reconstruction", Kind::word, false, "the autoencoder's loss: bce or mse"},
    {"activity-l1", "activity_l1", Kind::number, false, "weight of the penalty on activities"},
    {"activity-scope", "activity_scope", Kind::word, false, "what it covers: code or all_hidden"},
}};

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
  const double threshold = line.number(entry.option);
  if (threshold < 0) line.fail(concat("--threshold must be auto or not negative; got ", text));
  return threshold;
}

/// The dataset's recipe, changed by --config and then by the single options.
Recipe effective_recipe(const CommandLine& line, const data::Source& source) {
  constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;
  Recipe recipe = default_recipe(source.id ? data::to_string(*source.id) : "");
  const std::string config = line.text("config");
  if (!config.empty()) recipe = recipe_from_json(read_file(config, kMaxConfigBytes), recipe, config);
  Json changes = Json::object();
  for (const Override& entry : kOverrides) {
    if (!line.has(entry.option)) continue;
    if (!entry.each_stage) {
      changes[entry.key] = value_of(line, entry);
      continue;
    }
    for (const char* stage : {"lenet", "branchynet", "autoencoder"}) {
      changes[stage][entry.key] = value_of(line, entry);
    }
  }
  if (line.has("mean") || line.has("deviation")) {
    if (!line.has("mean") || !line.has("deviation")) line.fail("--mean and --deviation go together");
    changes["normalisation"] = {{"mean", line.numbers("mean")}, {"deviation", line.numbers("deviation")}};
  }
  const std::string text = changes.dump(-1, ' ', false, Json::error_handler_t::replace);
  return recipe_from_json(text, recipe, "the command line");
}

std::string chosen_model(const CommandLine& line) {
  std::string model = line.has("model") ? line.text("model") : "all";
  const std::vector<std::string> known{"lenet", "branchynet", "autoencoder", "cbnet", "all"};
  if (std::find(known.begin(), known.end(), model) == known.end()) {
    line.fail(concat("--model must be lenet, branchynet, autoencoder, cbnet or all; got '", model, "'"));
  }
  return model;
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

/// What run.json says, and where everything lies.
Json read_run(const RunFolder& folder) {
  Json report = parse_json(read_file(folder.run_file()));
  Json files = Json::object();
  for (const std::string& name : model_names()) {
    if (name != "cbnet" && has_model(folder.path(), name)) files[name] = folder.model_file(name).string();
  }
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
      const bool share = name.ends_with("accuracy") || name.ends_with("rate");
      text += concat(text.empty() ? "" : ", ", name, " ", share ? percent(value) : concat(value));
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
  line.add("Training", "model", "M", "lenet, branchynet, autoencoder, cbnet or all (default)");
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
  line.allow_reference();
  declare(line);
  if (!line.parse(arguments, false)) return 0;
  const data::Source source = line.source();
  PipelineOptions options;
  options.recipe = effective_recipe(line, source);
  if (line.is_set("print-recipe")) {
    const Json recipe = parse_json(to_json(options.recipe));
    std::cout << recipe.dump(2) << '\n';
    write_report(line.json_file(), recipe);
    return 0;
  }
  const RunFolder folder(line.required("out"));
  options.model = chosen_model(line);
  options.resume = line.is_set("resume");
  if (line.has("seed")) options.seed = line.unsigned_integer("seed");
  const std::string device = line.device();

  const data::Dataset dataset = data::load_dataset(source);
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
