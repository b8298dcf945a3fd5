#include "cbnet/recipe.h"

#include "tensor/error.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {
Recipe parse(const std::string& text) { return recipe_from_json(text, default_recipe("fmnist"), "my.json"); }
}  // namespace

TEST_CASE("a recipe that makes no sense says so, with the file's name") {
  CHECK(default_recipe("flowers").thresholds.empty());  // automatic where nobody has published one
  CHECK_THROWS_SAYING(parse("{"), InputError, "my.json: expected a recipe in JSON");
  CHECK_THROWS_SAYING(parse("[]"), InputError, "expected a JSON object; got array");
  CHECK_THROWS_SAYING(parse(R"({"epoch":1})"), InputError, "unknown key 'epoch'");
  CHECK_THROWS_SAYING(parse(R"({"lenet":{"epoch":1}})"), InputError, "[lenet] unknown key 'epoch'");
  CHECK_THROWS_SAYING(parse(R"({"lenet":{"epochs":0}})"), InputError, "epochs must be 1 to 100000; got 0");
  CHECK_THROWS_SAYING(parse(R"({"lenet":{"learning_rate":-1}})"), InputError,
                      "learning_rate must be positive");
  CHECK_THROWS_SAYING(parse(R"({"lenet":{"schedule":"linear"}})"), InputError, "constant, step or cosine");
  CHECK_THROWS_SAYING(parse(R"({"target":"any"})"), InputError,
                      "expected random_easy or fixed_image; got 'any'");
  CHECK_THROWS_SAYING(parse(R"({"output":"softmax","reconstruction":"bce"})"), InputError,
                      "trained with mse");
  CHECK_THROWS_SAYING(parse(R"({"validation_fraction":1.0})"), InputError, "between 0 and 1");
  CHECK_THROWS_SAYING(parse(R"({"threshold":"x"})"), InputError, "a recipe in JSON");
}

TEST_CASE("thresholds and penalty are the paper's (IV-B.1, III-A.3)") {
  CHECK(default_recipe("mnist").thresholds == std::vector{0.05});
  CHECK(default_recipe("fmnist").thresholds == std::vector{0.5});
  CHECK(default_recipe("kmnist").thresholds == std::vector{0.025});
  CHECK(default_recipe("mnist").activity_l1 == 1e-7);
  CHECK(default_recipe("mnist").early_loss_weight == 1.0);
  CHECK(default_recipe("mnist").final_loss_weight == 1.0);
}

TEST_CASE("JSON changes what it names and round-trips") {
  const Recipe changed =
      parse(R"({"branchynet":{"epochs":3,"flip":true},"threshold":"auto","target":"random_easy",
                                   "output":"softmax","reconstruction":"mse","activity_scope":"all_hidden"})");
  CHECK(changed.branchynet.epochs == 3);
  CHECK(changed.branchynet.augmentation.flip);
  CHECK(changed.thresholds.empty());
  CHECK(changed.target == TargetPolicy::random_easy);
  CHECK(changed.output == OutputActivation::softmax);
  CHECK(changed.activity_scope == ActivityScope::all_hidden);
  CHECK(changed.lenet.epochs == default_recipe("fmnist").lenet.epochs);
  CHECK(to_json(recipe_from_json(to_json(changed), default_recipe("mnist"), "x")) == to_json(changed));
}
