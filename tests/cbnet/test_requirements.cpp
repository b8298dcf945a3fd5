#include "cbnet/requirements.h"

#include "tensor/error.h"
#include "tests/cbnet/tiny.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::bar_dataset;

TEST_CASE("too few images for the method, and what to do, are found before training") {
  Recipe recipe = default_recipe("fmnist");
  const auto needs = [&](std::int64_t images) {
    require_trainable(bar_dataset(images, 10), recipe, {"lenet", "branchynet", "autoencoder"});
  };
  needs(6);  // half an image rounds up to one
  CHECK_THROWS_SAYING(needs(5), InputError, "--validation-fraction 0.2 holds out one of 5 images");
  CHECK_THROWS_SAYING(needs(1), InputError, "at least 2 training images");
  recipe.validation_fraction = 0.2;
  needs(5);
  recipe.validation_fraction = 0.9;
  CHECK_THROWS_SAYING(needs(5), InputError, "found 0 and 5");
}

TEST_CASE("a threshold at which no image leaves early trains no autoencoder, but all the rest") {
  Recipe recipe = default_recipe("fmnist");
  recipe.thresholds = {0.0};
  const data::Dataset dataset = bar_dataset(100, 10);
  require_trainable(dataset, recipe, {"lenet", "branchynet"});
  CHECK_THROWS_SAYING(require_trainable(dataset, recipe, {"branchynet", "autoencoder"}), InputError,
                      "a threshold above 0");
  recipe.thresholds = {};  // auto
  require_trainable(dataset, recipe, {"branchynet", "autoencoder"});
}

TEST_CASE("classes that no image trains are named") {
  const data::Dataset dataset = bar_dataset(10, 10);  // one image of each class
  CHECK(missing_classes(dataset, {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {}}) == "");
  CHECK(missing_classes(dataset, {{0, 1, 2, 3, 4, 6, 7, 8}, {9}}) ==
        "no image to train on, so that no model learns it: class 5 (Sandal), 9 (Ankle boot) with images for "
        "validation alone");
}
