#include "layers/conv2d.h"

#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("channels that do not divide into the groups throw") {
  Rng rng(1);
  CHECK_THROWS_SAYING(Conv2d(3, 4, 1, rng, Conv2dOptions::square(1, 0, 1, 2)), std::invalid_argument,
                      "must divide into 2 groups");
}

TEST_CASE("shapes follow the op, parameters the groups") {
  Rng rng(1);
  Conv2d layer(4, 6, 3, rng, Conv2dOptions::square(2, 1, 1, 2), /*bias=*/false);
  CHECK(layer.weight.shape() == Shape{6, 2, 3, 3});
  CHECK_FALSE(layer.bias.defined());
  CHECK(layer(Variable(Tensor::zeros({5, 4, 9, 7}))).shape() == Shape{5, 6, 5, 4});
}
