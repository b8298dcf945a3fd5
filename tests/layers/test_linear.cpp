#include "layers/linear.h"

#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("another number of features throws") {
  Rng rng(1);
  Linear layer(3, 2, rng);
  CHECK_THROWS_SAYING(layer(Variable(Tensor::zeros({1, 4}))), std::invalid_argument, "[linear]");
}

TEST_CASE("y = x W^T + b, and both learn") {
  Rng rng(1);
  Linear layer(2, 2, rng);
  layer.weight.mutable_value().copy_from(Tensor::from<float>({1, 2, 3, 4}, {2, 2}));
  layer.bias.mutable_value().copy_from(Tensor::from<float>({10, 20}, {2}));
  Variable y = layer(Variable(Tensor::from<float>({1, -1}, {1, 2})));
  CHECK(y.value().to_vector<float>() == std::vector<float>{9, 19});
  y.backward(Tensor::ones({1, 2}));
  CHECK(layer.weight.grad().to_vector<float>() == std::vector<float>{1, -1, 1, -1});
  CHECK(layer.bias.grad().to_vector<float>() == std::vector<float>{1, 1});
}
