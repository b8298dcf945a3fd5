#include "cbnet/recipe.h"

#include <algorithm>
#include <cmath>

#include "cbnet/exit_rule.h"
#include "models/json.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

template <class Enum>
Enum parse_enum(const Json& value, const char* key, std::initializer_list<Enum> all) {
  const auto text = value.get<std::string>();
  std::string names;
  for (const Enum e : all) {
    if (text == to_string(e)) return e;
    names += concat(names.empty() ? "" : " or ", to_string(e));
  }
  require(false, key, "expected ", names, "; got '", text, "'");
  return *all.begin();
}

/// Reads "none", "measured", or {"mean": [...], "deviation": [...]}, one for all channels or one each.
void normalisation_from_json(const Json& value, Recipe& r) {
  r.normalisation = {};
  r.measure_normalisation = value == "measured";
  if (value.is_string()) {
    require(r.measure_normalisation || value == "none", "normalisation",
            "expected none, measured, or mean and deviation; got ", value.dump());
    return;
  }
  for (const auto& [key, list] : value.items())
    require(key == "mean" || key == "deviation", "normalisation", "unknown key '", key, "'");
  value.at("mean").get_to(r.normalisation.mean);
  value.at("deviation").get_to(r.normalisation.deviation);
}

/// Reads "auto", a number for all side exits, or a list with one each.
void thresholds_from_json(const Json& value, std::vector<double>& out) {
  out.clear();
  if (value == "auto") return;
  if (value.is_array())
    value.get_to(out);
  else
    out = {value.get<double>()};
  require(!out.empty(), "threshold", "expected auto, a number, or a list of them; got ", value.dump());
}

void truncation_from_json(const Json& json, TruncationRecipe& r) {
  for (const auto& [key, value] : json.items()) {
    if (key == "head_epochs")
      get_whole(value, r.head_epochs);
    else if (key == "autoencoder_epochs")
      get_whole(value, r.autoencoder_epochs);
    else if (key == "margin")
      value.get_to(r.margin);
    else
      require(false, "truncation", "unknown key '", key, "'");
  }
}

/// Is for networks so small that they learn most from many copies. Their pixels stay as they are: a plan's
/// linear layer leaves out those that are zero.
void use_copies(const std::string& dataset, Recipe& r) {
  r.measure_normalisation = false;
  r.network = {};
  r.network.batch_size = 256;
  if (dataset == "mnist" || dataset == "kmnist") {
    r.network.epochs = dataset == "mnist" ? 40 : 60;
    r.network.copies = dataset == "mnist" ? 12 : 60;
    r.network.learning_rate = 2e-3;
    r.network.augmentation = {.shift = 1, .rotation = 10, .scale = 0.12, .shear = 10, .elastic = 2};
  } else {
    r.network.epochs = 110;
    r.network.copies = 2;
    r.network.mixup = 0.5;
    r.network.learning_rate = 3e-3;
  }
}

template <class OfRecipe>
auto list_parts(OfRecipe& r) {
  using Part = decltype(&r.lenet);
  return std::vector<std::pair<const char*, Part>>{{"lenet", &r.lenet},
                                                   {"branchynet", &r.branchynet},
                                                   {"autoencoder", &r.autoencoder},
                                                   {"network", &r.network}};
}

}  // namespace

const char* to_string(TargetPolicy policy) {
  return policy == TargetPolicy::random_easy ? "random_easy" : "fixed_image";
}
const char* to_string(ReconstructionLoss loss) { return loss == ReconstructionLoss::mse ? "mse" : "bce"; }
const char* to_string(ActivityScope scope) { return scope == ActivityScope::code ? "code" : "all_hidden"; }

const char* to_string(EncoderTarget target) {
  constexpr const char* kNames[] = {"none", "prototype", "random_images", "permuted"};
  return kNames[static_cast<std::size_t>(target)];
}

std::vector<std::pair<const char*, TrainRecipe*>> parts_of(Recipe& recipe) { return list_parts(recipe); }
std::vector<std::pair<const char*, const TrainRecipe*>> parts_of(const Recipe& recipe) {
  return list_parts(recipe);
}

Recipe default_recipe(const std::string& dataset, const std::string& network) {
  // docs/recipes.md has the validation accuracies that these were chosen by.
  Recipe recipe;
  recipe.autoencoder.epochs = 20;
  const auto shift_everywhere = [&] {
    for (TrainRecipe* part : {&recipe.lenet, &recipe.branchynet, &recipe.autoencoder})
      part->augmentation.shift = 1;
  };
  if (dataset == "mnist") {
    recipe.thresholds = {0.05};
    recipe.reconstruction = ReconstructionLoss::mse;
    shift_everywhere();
    recipe.lenet.epochs = recipe.branchynet.epochs = 20;
  } else if (dataset == "fmnist") {
    recipe.thresholds = {0.5};
  } else if (dataset == "kmnist") {
    recipe.thresholds = {0.025};
    shift_everywhere();
    recipe.lenet.epochs = recipe.branchynet.epochs = 40;  // of a ninth of the images
    recipe.autoencoder.epochs = 60;
  } else {
    recipe.thresholds = {};  // nobody has published one
    recipe.measure_normalisation = true;
  }
  if (network.empty()) return recipe;
  recipe.thresholds = {};
  recipe.measure_normalisation = true;
  recipe.network.epochs = 15;
  recipe.network.learning_rate = 3e-3;
  recipe.network.warmup_epochs = 1;
  recipe.network.weight_decay = 0.05;
  recipe.network.augmentation.shift = 2;
  recipe.network.augmentation.flip = dataset != "mnist" && dataset != "kmnist";
  if (network == "mlp-192" || network == "mlp-256" || network == "stem-48") use_copies(dataset, recipe);
  return recipe;
}

std::string to_json(const Recipe& r) {
  Json out;
  for (const auto& [key, part] : parts_of(r)) out[key] = train_recipe_to_json(*part);
  Json thresholds = r.thresholds;
  if (r.thresholds.empty()) thresholds = "auto";
  if (r.thresholds.size() == 1) thresholds = r.thresholds.front();
  out["truncation"] = {{"head_epochs", r.truncation.head_epochs},
                       {"autoencoder_epochs", r.truncation.autoencoder_epochs},
                       {"margin", r.truncation.margin}};
  out.update(Json{{"validation_fraction", r.validation_fraction},
                  {"early_loss_weight", r.early_loss_weight},
                  {"final_loss_weight", r.final_loss_weight},
                  {"threshold", thresholds},
                  {"auto_margin", r.auto_margin},
                  {"target", to_string(r.target)},
                  {"output", to_string(r.output)},
                  {"reconstruction", to_string(r.reconstruction)},
                  {"activity_l1", r.activity_l1},
                  {"activity_scope", to_string(r.activity_scope)}});
  if (r.encoder_target != EncoderTarget::none) {
    out["encoder_target"] = to_string(r.encoder_target);
    out["encoder_weight"] = r.encoder_weight;
  }
  if (r.measure_normalisation)
    out["normalisation"] = "measured";
  else if (r.normalisation.any())
    out["normalisation"] = {{"mean", r.normalisation.mean}, {"deviation", r.normalisation.deviation}};
  return out.dump();
}

Recipe recipe_from_json(const std::string& text, const Recipe& base, const std::string& source) {
  Recipe r = base;
  try {
    const Json json = parse_json(text);
    require(json.is_object(), "recipe", "expected a JSON object; got ", json.type_name());
    for (const auto& [key, value] : json.items()) {
      const auto parts = parts_of(r);
      const auto part =
          std::find_if(parts.begin(), parts.end(), [&](const auto& entry) { return key == entry.first; });
      if (part != parts.end())
        train_recipe_from_json(value, key, *part->second);
      else if (key == "truncation")
        truncation_from_json(value, r.truncation);
      else if (key == "normalisation")
        normalisation_from_json(value, r);
      else if (key == "validation_fraction")
        value.get_to(r.validation_fraction);
      else if (key == "early_loss_weight")
        value.get_to(r.early_loss_weight);
      else if (key == "final_loss_weight")
        value.get_to(r.final_loss_weight);
      else if (key == "threshold")
        thresholds_from_json(value, r.thresholds);
      else if (key == "auto_margin")
        value.get_to(r.auto_margin);
      else if (key == "target")
        r.target = parse_enum(value, "target", {TargetPolicy::random_easy, TargetPolicy::fixed_image});
      else if (key == "output")
        r.output = parse_enum(value, "output", {OutputActivation::softmax, OutputActivation::sigmoid});
      else if (key == "reconstruction")
        r.reconstruction =
            parse_enum(value, "reconstruction", {ReconstructionLoss::mse, ReconstructionLoss::bce});
      else if (key == "activity_l1")
        value.get_to(r.activity_l1);
      else if (key == "activity_scope")
        r.activity_scope =
            parse_enum(value, "activity_scope", {ActivityScope::code, ActivityScope::all_hidden});
      else if (key == "encoder_target")
        r.encoder_target = parse_enum(value, "encoder_target",
                                      {EncoderTarget::none, EncoderTarget::prototype,
                                       EncoderTarget::random_images, EncoderTarget::permuted});
      else if (key == "encoder_weight")
        value.get_to(r.encoder_weight);
      else
        require(false, "recipe", "unknown key '", key, "'");
    }
    check(r);
  } catch (const Json::exception& error) {
    throw InputError(source, "a recipe in JSON", error.what(), "`cbnet train --help` shows an example");
  } catch (const std::invalid_argument& error) {
    throw InputError(source, "a valid recipe", error.what(), "`cbnet train --help` shows an example");
  }
  return r;
}

void check(const Recipe& r) {
  for (const auto& [name, part] : parts_of(r)) check(*part, name);
  require(r.autoencoder.mixup == 0 && r.autoencoder.distillation.teacher.empty(), "autoencoder",
          "mixup and a teacher are for classifiers");
  check(r.normalisation, {static_cast<std::int64_t>(r.normalisation.mean.size())});
  require(r.validation_fraction > 0 && r.validation_fraction < 1, "recipe",
          "validation_fraction must be between 0 and 1; got ", r.validation_fraction);
  require(r.early_loss_weight >= 0 && r.final_loss_weight >= 0 &&
              r.early_loss_weight + r.final_loss_weight > 0 &&
              std::isfinite(r.early_loss_weight + r.final_loss_weight),
          "recipe", "loss weights must not be negative nor both zero");
  static_cast<void>(thresholds_for(r.thresholds, r.thresholds.size()));
  const TruncationRecipe& cut = r.truncation;
  require(cut.head_epochs >= 1 && cut.autoencoder_epochs >= 1, "truncation", "epochs must be positive");
  require(cut.margin >= 0 && cut.margin < 1, "truncation", "margin must be in [0, 1); got ", cut.margin);
  require(r.auto_margin >= 0 && r.auto_margin < 1, "recipe", "auto_margin must be in [0, 1); got ",
          r.auto_margin);
  require(std::isfinite(r.activity_l1) && r.activity_l1 >= 0, "recipe",
          "activity_l1 must not be negative; got ", r.activity_l1);
  require(std::isfinite(r.encoder_weight) && r.encoder_weight >= 0, "recipe",
          "encoder_weight must not be negative; got ", r.encoder_weight);
  require(r.output != OutputActivation::softmax || r.reconstruction == ReconstructionLoss::mse, "recipe",
          "a softmax output is trained with mse: its pixels are shares of a whole, not probabilities");
}

}  // namespace cbnet
