#include "bench/recipes.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/options.h"
#include "bench/text_table.h"
#include "cbnet/pipeline.h"
#include "cbnet/version.h"
#include "tensor/error.h"
#include "tensor/io.h"

namespace cbnet::bench {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr const char* kExamples =
    "  cbnet_bench recipes --dataset fmnist\n"
    "  cbnet_bench recipes --dataset mnist --out runs/recipes-mnist --seed 3 --json recipes.json\n";

struct Settings {
  CommonOptions common;
  data::DatasetId dataset = data::DatasetId::mnist;
  std::string out;
  std::uint64_t seed = 1;
  Recipe base;
};

std::optional<Settings> read_settings(const std::vector<std::string>& words) {
  cxxopts::Options options(
      "cbnet_bench recipes",
      "Trains BranchyNet once and the converting autoencoder in several ways, and prints CBNet's "
      "accuracy on the validation split. Interrupted, it continues where it was.\n");
  options.add_options()("dataset", "mnist, fmnist or kmnist", cxxopts::value<std::string>(), "NAME");
  options.add_options()("out", "Folder for the models; runs/recipes-<dataset> if not given",
                        cxxopts::value<std::string>(), "DIR");
  options.add_options()("seed", "Seed of every training", cxxopts::value<std::string>()->default_value("1"),
                        "N");
  options.add_options()("config", "Changes to the default recipe, as JSON, like that of `cbnet train`",
                        cxxopts::value<std::string>(), "FILE");
  options.add_options()("epochs", "Epochs of every network instead of the recipe's",
                        cxxopts::value<std::string>(), "N");
  add_common(options);
  const auto parsed = parse(options, words, kExamples);
  if (!parsed) return std::nullopt;
  if (parsed->count("dataset") == 0) throw UsageError("recipes needs --dataset");
  Settings out;
  out.dataset = data::parse_dataset_id((*parsed)["dataset"].as<std::string>());
  out.out = parsed->count("out") > 0 ? (*parsed)["out"].as<std::string>()
                                     : concat("runs/recipes-", data::to_string(out.dataset));
  out.seed = static_cast<std::uint64_t>(whole_number(*parsed, "seed", 0));
  out.base = default_recipe(data::to_string(out.dataset));
  if (parsed->count("config") > 0) {
    const auto file = (*parsed)["config"].as<std::string>();
    out.base = recipe_from_json(read_file(file, std::size_t{1} << 20), out.base, file);
  }
  if (parsed->count("epochs") > 0) {
    const std::int64_t epochs = whole_number(*parsed, "epochs", 1);
    out.base.branchynet.epochs = out.base.autoencoder.epochs = epochs;
    check(out.base);
  }
  out.common = apply_common(*parsed);
  return out;
}

/// A number of run.json, by its JSON pointer.
double recorded(const RunFolder& folder, const char* pointer) {
  try {
    const Json run = Json::parse(read_file(folder.run_file(), std::size_t{1} << 24));
    return run.at(Json::json_pointer(pointer)).get<double>();
  } catch (const Json::exception& error) {
    throw InputError(folder.run_file().string(), concat("a number at ", pointer), error.what(),
                     "delete the folder to train again");
  }
}

/// The trainings of one search, each in a folder of its own.
class Search {
 public:
  Search(const Settings& settings, const data::Dataset& dataset) : settings_(settings), dataset_(dataset) {}

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

  /// On the one BranchyNet: the pipeline keeps it, for it was trained as this recipe says.
  void train(Variant& variant) {
    const RunFolder at = folder(variant.name);
    fs::create_directories(at.path());
    fs::copy_file(folder("branchynet").model_file("branchynet"), at.model_file("branchynet"),
                  fs::copy_options::overwrite_existing);
    say(concat("variant ", variant.name));
    run_pipeline(dataset_, at, options(variant.recipe, "cbnet"));
    variant.validation_accuracy = recorded(at, "/stages/autoencoder/validation/cbnet_accuracy");
    variant.seconds = recorded(at, "/stages/autoencoder/seconds");
    say(concat(variant.name, ": validation accuracy ", fixed(100.0 * variant.validation_accuracy, 2), " %"));
  }

  PipelineOptions options(const Recipe& recipe, const std::string& model) const {
    PipelineOptions out;
    out.recipe = recipe;
    out.seed = settings_.seed;
    out.model = model;
    out.resume = true;
    out.say = [this](const std::string& line) { say(line); };
    out.progress = [this](const Progress& p) {
      if (p.images < p.images_per_epoch) return;
      say(concat(p.stage, ": epoch ", p.epoch, " of ", p.epochs, ", loss ", p.loss, ", ",
                 static_cast<std::int64_t>(p.seconds_left), " s left"));
    };
    return out;
  }

  void say(const std::string& line) const {
    if (!settings_.common.quiet) std::cerr << line << "\n";
  }

  const Settings& settings_;
  const data::Dataset& dataset_;
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
             " % by the early branch alone.\n\n",
             "| target | output | loss | augmentation | epochs | validation accuracy, % | time, s |\n",
             "|---|---|---|---|---:|---:|---:|\n");
  for (std::size_t i = 0; i < search.variants.size(); ++i) {
    const Variant& v = search.variants[i];
    const std::string accuracy = fixed(100.0 * v.validation_accuracy, 2);
    out += concat("| ", to_string(v.recipe.target), " | ", to_string(v.recipe.output), " | ",
                  to_string(v.recipe.reconstruction), " | ",
                  augmentation_text(v.recipe.autoencoder.augmentation), " | ", v.recipe.autoencoder.epochs,
                  " | ", i == best ? "**" + accuracy + "** (best)" : accuracy, " | ", fixed(v.seconds, 1),
                  " |\n");
  }
  return out;
}

std::string recipes_json(const RecipeSearch& search) {
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
  const Json out{
      {"schema", "cbnet-recipes/1"},
      {"version", kVersion},
      {"dataset", search.dataset},
      {"seed", search.seed},
      {"validation_images", search.validation_images},
      {"branchynet",
       {{"validation_accuracy", search.branchynet_accuracy}, {"early_accuracy", search.early_accuracy}}},
      {"rows", std::move(rows)}};
  return out.dump(2) + "\n";
}

int run_recipes(const std::vector<std::string>& words) {
  const std::optional<Settings> settings = read_settings(words);
  if (!settings) return 0;
  data::Location location;
  location.data_dir = settings->common.data_dir;
  location.progress = !settings->common.quiet;
  const data::Dataset dataset = data::load_dataset(settings->dataset, location);
  const RecipeSearch search = Search(*settings, dataset).run();
  std::cout << markdown(search);
  if (!settings->common.json.empty()) write_file_atomic(settings->common.json, recipes_json(search));
  return 0;
}

}  // namespace cbnet::bench
