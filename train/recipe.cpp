#include "train/recipe.h"

#include <cmath>

#include "optim/adam.h"
#include "optim/sgd.h"
#include "tensor/error.h"

namespace cbnet {
namespace {

OptimizerKind parse_optimizer(const std::string& name) {
  require(name == "adam" || name == "sgd", "optimizer", "expected adam or sgd; got '", name, "'");
  return name == "adam" ? OptimizerKind::adam : OptimizerKind::sgd;
}

}  // namespace

const char* to_string(OptimizerKind kind) { return kind == OptimizerKind::adam ? "adam" : "sgd"; }

Json train_recipe_to_json(const TrainRecipe& r) {
  Json out{{"epochs", r.epochs},
           {"batch_size", r.batch_size},
           {"learning_rate", r.learning_rate},
           {"schedule", to_string(r.schedule)},
           {"weight_decay", r.weight_decay},
           {"shift", r.augmentation.shift},
           {"flip", r.augmentation.flip}};
  if (r.augmentation.crop > 0) out["crop"] = r.augmentation.crop;
  if (r.augmentation.rotation > 0) out["rotation"] = r.augmentation.rotation;
  if (r.augmentation.scale > 0) out["scale"] = r.augmentation.scale;
  if (r.augmentation.shear > 0) out["shear"] = r.augmentation.shear;
  if (r.augmentation.elastic > 0) out["elastic"] = r.augmentation.elastic;
  if (r.copies > 0) out["copies"] = r.copies;
  if (r.mixup > 0) out["mixup"] = r.mixup;
  if (!r.distillation.teacher.empty()) {
    out["teacher"] = r.distillation.teacher;
    out["temperature"] = r.distillation.temperature;
    out["teacher_weight"] = r.distillation.weight;
  }
  if (r.warmup_epochs > 0) out["warmup_epochs"] = r.warmup_epochs;
  if (r.patience > 0) out["patience"] = r.patience;
  if (r.optimizer == OptimizerKind::sgd) {
    out["optimizer"] = to_string(r.optimizer);
    out["momentum"] = r.momentum;
  }
  return out;
}

void train_recipe_from_json(const Json& json, const std::string& where, TrainRecipe& r) {
  for (const auto& [key, value] : json.items()) {
    if (key == "epochs")
      get_whole(value, r.epochs);
    else if (key == "batch_size")
      get_whole(value, r.batch_size);
    else if (key == "optimizer")
      r.optimizer = parse_optimizer(value.get<std::string>());
    else if (key == "momentum")
      value.get_to(r.momentum);
    else if (key == "learning_rate")
      value.get_to(r.learning_rate);
    else if (key == "schedule")
      r.schedule = parse_schedule(value.get<std::string>());
    else if (key == "warmup_epochs")
      get_whole(value, r.warmup_epochs);
    else if (key == "weight_decay")
      value.get_to(r.weight_decay);
    else if (key == "patience")
      get_whole(value, r.patience);
    else if (key == "shift")
      get_whole(value, r.augmentation.shift);
    else if (key == "flip")
      value.get_to(r.augmentation.flip);
    else if (key == "crop")
      get_whole(value, r.augmentation.crop);
    else if (key == "rotation")
      value.get_to(r.augmentation.rotation);
    else if (key == "scale")
      value.get_to(r.augmentation.scale);
    else if (key == "shear")
      value.get_to(r.augmentation.shear);
    else if (key == "elastic")
      value.get_to(r.augmentation.elastic);
    else if (key == "copies")
      get_whole(value, r.copies);
    else if (key == "mixup")
      value.get_to(r.mixup);
    else if (key == "teacher")
      value.get_to(r.distillation.teacher);
    else if (key == "temperature")
      value.get_to(r.distillation.temperature);
    else if (key == "teacher_weight")
      value.get_to(r.distillation.weight);
    else
      require(false, where.c_str(), "unknown key '", key, "'");
  }
}

void check(const TrainRecipe& r, const char* where) {
  require(r.epochs >= 1 && r.epochs <= 100000, where, "epochs must be 1 to 100000; got ", r.epochs);
  require(r.batch_size >= 1 && r.batch_size <= 65536, where, "batch_size must be 1 to 65536; got ",
          r.batch_size);
  require(std::isfinite(r.learning_rate) && r.learning_rate > 0, where,
          "learning_rate must be positive; got ", r.learning_rate);
  require(r.momentum >= 0 && r.momentum < 1, where, "momentum must be from 0 to below 1; got ", r.momentum);
  require(std::isfinite(r.weight_decay) && r.weight_decay >= 0, where,
          "weight_decay must not be negative; got ", r.weight_decay);
  require(r.warmup_epochs >= 0 && r.warmup_epochs <= r.epochs, where, "warmup_epochs must be 0 to ", r.epochs,
          ", the epochs; got ", r.warmup_epochs);
  require(r.patience >= 0, where, "patience must not be negative; got ", r.patience);
  for (const auto& [name, by] : {std::pair{"shift", r.augmentation.shift}, {"crop", r.augmentation.crop}})
    require(by >= 0 && by <= 256, where, name, " must be 0 to 256 pixels; got ", by);
  require(r.augmentation.rotation >= 0 && r.augmentation.rotation <= 180, where,
          "rotation must be 0 to 180 degrees; got ", r.augmentation.rotation);
  require(r.augmentation.scale >= 0 && r.augmentation.scale < 1, where, "scale must be 0 to below 1; got ",
          r.augmentation.scale);
  require(r.augmentation.shear >= 0 && r.augmentation.shear <= 60, where,
          "shear must be 0 to 60 degrees; got ", r.augmentation.shear);
  require(r.augmentation.elastic >= 0 && r.augmentation.elastic <= 256, where,
          "elastic must be 0 to 256 pixels; got ", r.augmentation.elastic);
  require(r.copies >= 0 && r.copies <= 1000, where, "copies must be 0 to 1000; got ", r.copies);
  require(r.mixup >= 0 && r.mixup <= 1, where, "mixup must be 0 to 1; got ", r.mixup);
  require(r.mixup == 0 || r.copies > 0, where, "mixup makes copies: copies must be positive; got ", r.copies);
  const Distillation& d = r.distillation;
  require(std::isfinite(d.temperature) && d.temperature > 0, where, "temperature must be positive; got ",
          d.temperature);
  require(d.weight >= 0 && d.weight <= 1, where, "teacher_weight must be 0 to 1; got ", d.weight);
}

std::unique_ptr<Optimizer> make_optimizer(const TrainRecipe& recipe, std::vector<Variable> parameters) {
  if (recipe.optimizer == OptimizerKind::sgd) {
    return std::make_unique<Sgd>(std::move(parameters), SgdOptions{.learning_rate = recipe.learning_rate,
                                                                   .momentum = recipe.momentum,
                                                                   .weight_decay = recipe.weight_decay,
                                                                   .nesterov = recipe.momentum > 0});
  }
  return std::make_unique<Adam>(std::move(parameters), AdamOptions{.learning_rate = recipe.learning_rate,
                                                                   .weight_decay = recipe.weight_decay,
                                                                   .decoupled = true});
}

}  // namespace cbnet
