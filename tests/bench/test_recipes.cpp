#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>

#include "bench/recipes.h"
#include "tests/bench/support.h"

using namespace cbnet;
using namespace cbnet::bench;
using namespace cbnet::bench::testing;

TEST_CASE("recipes: the grid has every target with every ending, and nothing that cannot be trained") {
  Recipe base = default_recipe("fmnist");
  base.autoencoder.augmentation.shift = 2;
  const std::vector<Variant> grid = target_and_loss_grid(base);
  REQUIRE(grid.size() == 6);
  std::set<std::string> names;
  for (const Variant& variant : grid) {
    CHECK_NOTHROW(check(variant.recipe));
    CHECK_FALSE(variant.recipe.autoencoder.augmentation.any());
    CHECK(variant.recipe.thresholds == base.thresholds);
    names.insert(variant.name);
  }
  CHECK(names.size() == 6);
  CHECK(names.count("fixed_image-sigmoid-bce") == 1);
  CHECK(names.count("random_easy-softmax-mse") == 1);
}

TEST_CASE("recipes: the best is augmented, and only clothes are mirrored") {
  Variant best = target_and_loss_grid(default_recipe("mnist")).front();
  const Variant clothes = with_augmentation(best, data::DatasetId::fmnist);
  CHECK(clothes.recipe.autoencoder.augmentation.shift == 1);
  CHECK(clothes.recipe.autoencoder.augmentation.flip);
  CHECK(clothes.name == "fixed_image-sigmoid-bce-augmented");
  CHECK_FALSE(with_augmentation(best, data::DatasetId::mnist).recipe.autoencoder.augmentation.flip);
  CHECK_FALSE(with_augmentation(best, data::DatasetId::kmnist).recipe.autoencoder.augmentation.flip);
}

TEST_CASE("recipes: the table and the JSON name the best") {
  CHECK_THROWS_AS(best_of({}), std::invalid_argument);
  RecipeSearch search;
  search.dataset = "fmnist";
  search.validation_images = 5000;
  search.branchynet_accuracy = 0.9;
  search.early_accuracy = 0.88;
  search.variants = target_and_loss_grid(default_recipe("fmnist"));
  search.variants[2].validation_accuracy = 0.8912;
  search.variants[4].validation_accuracy = 0.8912;
  search.variants[4].seconds = 12.34;
  CHECK(best_of(search.variants) == 2);
  const std::string table = markdown(search);
  CHECK(contains(table, "| fixed_image | softmax | mse | none | 20 | **89.12** (best) | 0.0 |"));
  CHECK(contains(table, "| random_easy | sigmoid | mse | none | 20 | 89.12 | 12.3 |"));
  CHECK(contains(table, "5,000 validation images"));
  CHECK(contains(table, "the test set was not used"));

  const auto json = recipes_json(search);
  CHECK(json.at("schema") == "cbnet-recipes/1");
  REQUIRE(json.at("rows").size() == 6);
  CHECK(json.at("rows").at(2).at("best") == true);
  CHECK(json.at("rows").at(4).at("best") == false);
  CHECK(json.at("rows").at(4).at("validation_accuracy") == 0.8912);
}
