#include "bench/recipes.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <optional>

#include "cbnet/pipeline.h"
#include "console/options.h"
#include "console/output.h"
#include "console/progress.h"
#include "tensor/error.h"
#include "tensor/io.h"
#include "tensor/version.h"

namespace cbnet::bench {
namespace {

namespace fs = std::filesystem;

constexpr Manual kManual{
    "cbnet_bench", "recipes", "--dataset D [options]",
    "Trains BranchyNet once and the converting autoencoder in several ways, and prints CBNet's accuracy on\n"
    "the validation split. Interrupted, it continues where it was.\n",
    R"(Examples:
  cbnet_bench recipes --dataset fmnist
  cbnet_bench recipes --dataset mnist --out runs/recipes-mnist --seed 3 --json recipes.json
)"};

struct Settings {
  data::DatasetId dataset = data::DatasetId::mnist;
  std::string out;
  std::uint64_t seed = 1;
  Recipe base;
};

void declare(CommandLine& line) {
  line.add_dataset_options("mnist, fmnist or kmnist");
  line.add("Training", "out", "DIR", "folder for the models (default: runs/recipes-<dataset>)");
  line.add("Training", "seed", "N", "of every training (default: 1)");
  line.add("Training", "config", "FILE",
           "changes to the default recipe, as JSON, like that of `cbnet train`");
  line.add("Training", "epochs", "N", "of every network, instead of the recipe's");
}

Settings read_settings(const CommandLine& line) {
  Settings out;
  out.dataset = line.dataset();
  const std::string name = data::to_string(out.dataset);
  out.out = line.has("out") ? line.text("out") : concat("runs/recipes-", name);
  if (line.has("seed")) out.seed = line.unsigned_integer("seed");
  out.base = default_recipe(name);
  if (line.has("config")) {
    const std::string file = line.text("config");
    out.base = recipe_from_json(read_file(file, std::size_t{1} << 20), out.base, file);
  }
  if (line.has("epochs")) {
    out.base.branchynet.epochs = out.base.autoencoder.epochs = line.integer("epochs", 1);
    check(out.base);
  }
  return out;
}

/// Reads a number of run.json, by its JSON pointer.
double recorded(const RunFolder& folder, const char* pointer) {
  try {
    const Json run = parse_json(read_file(folder.run_file(), std::size_t{1} << 24));
    return run.at(Json::json_pointer(pointer)).get<double>();
  } catch (const Json::exception& error) {
    throw InputError(folder.run_file().string(), concat("a number at ", pointer), error.what(),
                     "delete the folder to train again");
  }
}

/// Runs the trainings of one search, each in a folder of its own.
class Search {
 public:
  Search(const Settings& settings, const data::Dataset& dataset, ProgressBar& bar)
      : settings_(settings), dataset_(dataset), bar_(bar) {}

  RecipeSearch run() {
    RecipeSearch out;
    out.dataset = dataset_.name;
    out.seed = settings_.seed;
    train_branchynet(out);
    out.variants = target_and_loss_grid(settings_.base);
    for (Variant& variant : out.variants) train(variant);
    out.variants.push_back(with_augmentation(out.variants[best_of(out.variants)], settings_.dataset));
    train(out.variants.back());
    return out;
  }

 private:
  RunFolder folder(const std::string& name) const { return RunFolder(fs::path(settings_.out) / name); }

  void train_branchynet(RecipeSearch& out) {
    const RunFolder at = folder("branchynet");
    run_pipeline(dataset_, at, options(settings_.base, "branchynet"));
    out.branchynet_accuracy = recorded(at, "/stages/branchynet/validation/accuracy");
    out.early_accuracy = recorded(at, "/stages/branchynet/validation/early_accuracy");
    out.validation_images = static_cast<std::int64_t>(recorded(at, "/validation_images"));
  }

  /// Trains on the one BranchyNet, which the pipeline keeps: it was trained as this recipe says.
  void train(Variant& variant) {
    const RunFolder at = folder(variant.name);
    fs::create_directories(at.path());
    fs::copy_file(folder("branchynet").model_file("branchynet"), at.model_file("branchynet"),
                  fs::copy_options::overwrite_existing);
    log(concat("variant ", variant.name));
    run_pipeline(dataset_, at, options(variant.recipe, "cbnet"));
    variant.validation_accuracy = recorded(at, "/stages/autoencoder/validation/cbnet_accuracy");
    variant.seconds = recorded(at, "/stages/autoencoder/seconds");
    log(concat(variant.name, ": validation accuracy ", fixed(100.0 * variant.validation_accuracy, 2), " %"));
  }

  PipelineOptions options(const Recipe& recipe, const std::string& model) const {
    PipelineOptions out;
    out.recipe = recipe;
    out.seed = settings_.seed;
    out.model = model;
    out.resume = true;
    out.say = [this](const std::string& line) { log(line); };
    out.progress = [this](const Progress& progress) { bar_.update(progress); };
    return out;
  }

  void log(const std::string& line) const { bar_.say(line); }

  const Settings& settings_;
  const data::Dataset& dataset_;
  ProgressBar& bar_;
};

std::string augmentation_text(const data::Augmentation& augmentation) {
  if (!augmentation.any()) return "none";
  return concat("shift ", augmentation.shift, augmentation.flip ? ", flip" : "");
}

}  // namespace

std::vector<Variant> target_and_loss_grid(const Recipe& base) {
  struct Ending {
    OutputActivation output;
    ReconstructionLoss loss;
  };
  constexpr std::array<Ending, 3> kEndings{{{OutputActivation::sigmoid, ReconstructionLoss::bce},
                                            {OutputActivation::sigmoid, ReconstructionLoss::mse},
                                            {OutputActivation::softmax, ReconstructionLoss::mse}}};
  std::vector<Variant> out;
  for (const TargetPolicy target : {TargetPolicy::fixed_image, TargetPolicy::random_easy}) {
    for (const Ending& ending : kEndings) {
      Variant variant;
      variant.recipe = base;
      variant.recipe.target = target;
      variant.recipe.output = ending.output;
      variant.recipe.reconstruction = ending.loss;
      variant.recipe.autoencoder.augmentation = {};
      variant.name = concat(to_string(target), "-", to_string(ending.output), "-", to_string(ending.loss));
      out.push_back(std::move(variant));
    }
  }
  return out;
}

Variant with_augmentation(const Variant& best, data::DatasetId dataset) {
  Variant out;
  out.recipe = best.recipe;
  out.recipe.autoencoder.augmentation.shift = 1;
  out.recipe.autoencoder.augmentation.flip = dataset == data::DatasetId::fmnist;
  out.name = best.name + "-augmented";
  return out;
}

std::size_t best_of(const std::vector<Variant>& variants) {
  require(!variants.empty(), "recipes", "the best of no variants was asked for");
  const auto best = std::max_element(
      variants.begin(), variants.end(),
      [](const Variant& a, const Variant& b) { return a.validation_accuracy < b.validation_accuracy; });
  return static_cast<std::size_t>(best - variants.begin());
}

std::string markdown(const RecipeSearch& search) {
  const std::size_t best = best_of(search.variants);
  std::string out =
      concat("CBNet on ", search.dataset, ", seed ", search.seed, ": accuracy on ",
             grouped(search.validation_images),
             " validation images held out of the training set (the test set was not used).\n",
             "BranchyNet, the same in every line: ", fixed(100.0 * search.branchynet_accuracy, 2),
             " % with its early exit, ", fixed(100.0 * search.early_accuracy, 2),
             " % by the early branch alone.\n\n");
  Table table({"target", "output", "loss", "augmentation", "epochs", "validation accuracy, %", "time, s"}, 4);
  for (std::size_t i = 0; i < search.variants.size(); ++i) {
    const Variant& v = search.variants[i];
    const std::string accuracy = fixed(100.0 * v.validation_accuracy, 2);
    table.add({to_string(v.recipe.target), to_string(v.recipe.output), to_string(v.recipe.reconstruction),
               augmentation_text(v.recipe.autoencoder.augmentation), concat(v.recipe.autoencoder.epochs),
               i == best ? "**" + accuracy + "** (best)" : accuracy, fixed(v.seconds, 1)});
  }
  return out + table.markdown();
}

Json recipes_json(const RecipeSearch& search) {
  const std::size_t best = best_of(search.variants);
  Json rows = Json::array();
  for (std::size_t i = 0; i < search.variants.size(); ++i) {
    const Variant& v = search.variants[i];
    rows.push_back({{"name", v.name},
                    {"target", to_string(v.recipe.target)},
                    {"output", to_string(v.recipe.output)},
                    {"reconstruction", to_string(v.recipe.reconstruction)},
                    {"shift", v.recipe.autoencoder.augmentation.shift},
                    {"flip", v.recipe.autoencoder.augmentation.flip},
                    {"epochs", v.recipe.autoencoder.epochs},
                    {"validation_accuracy", v.validation_accuracy},
                    {"seconds", v.seconds},
                    {"best", i == best}});
  }
  return {{"schema", "cbnet-recipes/1"},
          {"version", kVersion},
          {"dataset", search.dataset},
          {"seed", search.seed},
          {"validation_images", search.validation_images},
          {"branchynet",
           {{"validation_accuracy", search.branchynet_accuracy}, {"early_accuracy", search.early_accuracy}}},
          {"rows", std::move(rows)}};
}

int run_recipes(const std::vector<std::string>& words) {
  CommandLine line(kManual);
  declare(line);
  if (!line.parse(words, false)) return 0;
  const Settings settings = read_settings(line);
  const data::Dataset dataset = data::load_dataset(settings.dataset, line.location());
  const RecipeSearch search = [&] {
    ProgressBar bar(std::cerr, std::cerr, ::isatty(STDERR_FILENO) != 0, line.quiet());
    return Search(settings, dataset, bar).run();
  }();
  std::cout << markdown(search);
  write_report(line.json_file(), recipes_json(search));
  return 0;
}

}  // namespace cbnet::bench
