#include "cbnet/recipe.h"

#include <cmath>

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

Json train_to_json(const TrainRecipe& r) {
  Json out{{"epochs", r.epochs},
           {"batch_size", r.batch_size},
           {"learning_rate", r.learning_rate},
           {"schedule", to_string(r.schedule)},
           {"weight_decay", r.weight_decay},
           {"shift", r.augmentation.shift},
           {"flip", r.augmentation.flip}};
  // Trainings of before these were there go on: what is 0 is not written.
  if (r.augmentation.crop > 0) out["crop"] = r.augmentation.crop;
  if (r.augmentation.rotation > 0) out["rotation"] = r.augmentation.rotation;
  return out;
}

void train_from_json(const Json& json, const std::string& where, TrainRecipe& r) {
  for (const auto& [key, value] : json.items()) {
    if (key == "epochs")
      get_whole(value, r.epochs);
    else if (key == "batch_size")
      get_whole(value, r.batch_size);
    else if (key == "learning_rate")
      value.get_to(r.learning_rate);
    else if (key == "schedule")
      r.schedule = parse_schedule(value.get<std::string>());
    else if (key == "weight_decay")
      value.get_to(r.weight_decay);
    else if (key == "shift")
      get_whole(value, r.augmentation.shift);
    else if (key == "flip")
      value.get_to(r.augmentation.flip);
    else if (key == "crop")
      get_whole(value, r.augmentation.crop);
    else if (key == "rotation")
      value.get_to(r.augmentation.rotation);
    else
      require(false, where.c_str(), "unknown key '", key, "'");
  }
}

/// "none", "measured", or {"mean": [...], "deviation": [...]}, one for all channels or one each.
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

void check_train(const TrainRecipe& r, const char* where) {
  require(r.epochs >= 1 && r.epochs <= 100000, where, "epochs must be 1 to 100000; got ", r.epochs);
  require(r.batch_size >= 1 && r.batch_size <= 65536, where, "batch_size must be 1 to 65536; got ",
          r.batch_size);
  require(std::isfinite(r.learning_rate) && r.learning_rate > 0, where,
          "learning_rate must be positive; got ", r.learning_rate);
  require(std::isfinite(r.weight_decay) && r.weight_decay >= 0, where,
          "weight_decay must not be negative; got ", r.weight_decay);
  for (const auto& [name, by] : {std::pair{"shift", r.augmentation.shift}, {"crop", r.augmentation.crop}})
    require(by >= 0 && by <= 256, where, name, " must be 0 to 256 pixels; got ", by);
  require(r.augmentation.rotation >= 0 && r.augmentation.rotation <= 180, where,
          "rotation must be 0 to 180 degrees; got ", r.augmentation.rotation);
}

}  // namespace

const char* to_string(TargetPolicy policy) {
  return policy == TargetPolicy::random_easy ? "random_easy" : "fixed_image";
}
const char* to_string(ReconstructionLoss loss) { return loss == ReconstructionLoss::mse ? "mse" : "bce"; }
const char* to_string(ActivityScope scope) { return scope == ActivityScope::code ? "code" : "all_hidden"; }

Recipe default_recipe(const std::string& dataset) {
  // docs/recipes.md has the validation accuracies that these were chosen by.
  Recipe recipe;
  recipe.autoencoder.epochs = 20;
  const auto shift_everywhere = [&] {
    for (TrainRecipe* part : {&recipe.lenet, &recipe.branchynet, &recipe.autoencoder})
      part->augmentation.shift = 1;
  };
  if (dataset == "mnist") {
    recipe.threshold = 0.05;
    recipe.reconstruction = ReconstructionLoss::mse;
    shift_everywhere();
    recipe.lenet.epochs = recipe.branchynet.epochs = 20;
  } else if (dataset == "fmnist") {
    recipe.threshold = 0.5;
  } else if (dataset == "kmnist") {
    recipe.threshold = 0.025;
    shift_everywhere();
    recipe.lenet.epochs = recipe.branchynet.epochs = 40;  // of a ninth of the images
    recipe.autoencoder.epochs = 60;
  } else {
    recipe.threshold = -1.0;  // nobody has published one
    recipe.measure_normalisation = true;
  }
  return recipe;
}

std::string to_json(const Recipe& r) {
  Json out{{"lenet", train_to_json(r.lenet)},
           {"branchynet", train_to_json(r.branchynet)},
           {"autoencoder", train_to_json(r.autoencoder)},
           {"validation_fraction", r.validation_fraction},
           {"early_loss_weight", r.early_loss_weight},
           {"final_loss_weight", r.final_loss_weight},
           {"threshold", r.threshold < 0 ? Json("auto") : Json(r.threshold)},
           {"auto_margin", r.auto_margin},
           {"target", to_string(r.target)},
           {"output", to_string(r.output)},
           {"reconstruction", to_string(r.reconstruction)},
           {"activity_l1", r.activity_l1},
           {"activity_scope", to_string(r.activity_scope)}};
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
      if (key == "lenet")
        train_from_json(value, key, r.lenet);
      else if (key == "branchynet")
        train_from_json(value, key, r.branchynet);
      else if (key == "autoencoder")
        train_from_json(value, key, r.autoencoder);
      else if (key == "normalisation")
        normalisation_from_json(value, r);
      else if (key == "validation_fraction")
        value.get_to(r.validation_fraction);
      else if (key == "early_loss_weight")
        value.get_to(r.early_loss_weight);
      else if (key == "final_loss_weight")
        value.get_to(r.final_loss_weight);
      else if (key == "threshold")
        r.threshold = value == "auto" ? -1.0 : value.get<double>();
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
  check_train(r.lenet, "lenet");
  check_train(r.branchynet, "branchynet");
  check_train(r.autoencoder, "autoencoder");
  check(r.normalisation, {static_cast<std::int64_t>(r.normalisation.mean.size())});
  require(r.validation_fraction > 0 && r.validation_fraction < 1, "recipe",
          "validation_fraction must be between 0 and 1; got ", r.validation_fraction);
  require(r.early_loss_weight >= 0 && r.final_loss_weight >= 0 &&
              r.early_loss_weight + r.final_loss_weight > 0 &&
              std::isfinite(r.early_loss_weight + r.final_loss_weight),
          "recipe", "loss weights must not be negative nor both zero");
  require(std::isfinite(r.threshold), "recipe", "threshold must be finite; got ", r.threshold);
  require(r.auto_margin >= 0 && r.auto_margin < 1, "recipe", "auto_margin must be in [0, 1); got ",
          r.auto_margin);
  require(std::isfinite(r.activity_l1) && r.activity_l1 >= 0, "recipe",
          "activity_l1 must not be negative; got ", r.activity_l1);
  require(r.output != OutputActivation::softmax || r.reconstruction == ReconstructionLoss::mse, "recipe",
          "a softmax output is trained with mse: its pixels are shares of a whole, not probabilities");
}

}  // namespace cbnet
