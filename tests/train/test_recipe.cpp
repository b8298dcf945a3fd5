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
  refused(R"({"batchsize": 1})", "unknown key 'batchsize'");
}

TEST_CASE("JSON and back; what is new is left out at its default") {
  TrainRecipe recipe;
  for (const char* key : {"optimizer", "momentum", "warmup_epochs", "patience", "crop", "rotation"})
    CHECK_FALSE(train_recipe_to_json(recipe).contains(key));
  recipe.optimizer = OptimizerKind::sgd;
  recipe.momentum = 0.8;
  recipe.warmup_epochs = 2;
  recipe.patience = 5;
  recipe.augmentation.crop = 4;
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
