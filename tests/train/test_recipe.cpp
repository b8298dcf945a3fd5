#include "train/recipe.h"

#include "optim/adam.h"
#include "optim/sgd.h"
#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("impossible values are named") {
  const auto refused = [](const char* json, const char* what) {
    CAPTURE(std::string(json));
    TrainRecipe recipe;
    CHECK_THROWS_SAYING(
        (train_recipe_from_json(parse_json(json), "network", recipe), check(recipe, "network")),
        std::invalid_argument, what);
  };
  refused(R"({"optimizer": "lion"})", "expected adam or sgd; got 'lion'");
  refused(R"({"momentum": 1})", "momentum must be from 0 to below 1");
  refused(R"({"epochs": 3, "warmup_epochs": 4})", "warmup_epochs must be 0 to 3");
  refused(R"({"patience": -1})", "patience must not be negative");
  refused(R"({"scale": 1})", "scale must be 0 to below 1; got 1");
  refused(R"({"shear": 61})", "shear must be 0 to 60 degrees; got 61");
  refused(R"({"elastic": -1})", "elastic must be 0 to 256 pixels; got -1");
  refused(R"({"copies": 1001})", "copies must be 0 to 1000; got 1001");
  refused(R"({"copies": 1, "mixup": 1.5})", "mixup must be 0 to 1; got 1.5");
  refused(R"({"mixup": 0.5})", "mixup makes copies: copies must be positive; got 0");
  refused(R"({"temperature": 0})", "temperature must be positive; got 0");
  refused(R"({"teacher_weight": 2})", "teacher_weight must be 0 to 1; got 2");
  refused(R"({"batchsize": 1})", "unknown key 'batchsize'");
}

TEST_CASE("JSON and back; what is new is left out at its default") {
  TrainRecipe recipe;
  for (const char* key : {"optimizer", "momentum", "warmup_epochs", "patience", "crop", "rotation", "scale",
                          "shear", "elastic", "copies", "mixup", "teacher", "temperature", "teacher_weight"})
    CHECK_FALSE(train_recipe_to_json(recipe).contains(key));
  recipe.optimizer = OptimizerKind::sgd;
  recipe.momentum = 0.8;
  recipe.warmup_epochs = 2;
  recipe.patience = 5;
  recipe.augmentation = {.crop = 4, .scale = 0.1, .shear = 5, .elastic = 1.5};
  recipe.copies = 3;
  recipe.mixup = 0.25;
  recipe.distillation = {"lenet", 2.0, 0.5};
  TrainRecipe back;
  train_recipe_from_json(train_recipe_to_json(recipe), "network", back);
  CHECK(train_recipe_to_json(back) == train_recipe_to_json(recipe));
}

TEST_CASE("the optimizer is the recipe's") {
  Variable weight(Tensor::full({2}, 1.0, DType::f32), true);
  TrainRecipe recipe;
  CHECK(dynamic_cast<Adam*>(make_optimizer(recipe, {weight}).get()) != nullptr);
  recipe.optimizer = OptimizerKind::sgd;
  for (const double momentum : {0.0, 0.9}) {
    recipe.momentum = momentum;
    CHECK(dynamic_cast<Sgd*>(make_optimizer(recipe, {weight}).get()) != nullptr);
  }
}
