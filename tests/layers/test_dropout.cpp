#include "layers/dropout.h"

#include <doctest/doctest.h>

using namespace cbnet;

TEST_CASE("half of the elements vanish in training, none in eval; the generator's state repeats the mask") {
  Rng rng(3);
  Dropout layer(0.5, rng);
  const Variable x(Tensor::ones({1000}));
  const RngState before = rng.state();
  const std::vector<float> first = layer(x).value().to_vector<float>();
  int kept = 0;
  for (const float v : first) {
    CHECK((v == 0.0F || v == 2.0F));
    kept += v != 0.0F ? 1 : 0;
  }
  CHECK(std::abs(kept - 500) < 80);  // five standard errors
  CHECK(layer(x).value().to_vector<float>() != first);
  rng.set_state(before);
  CHECK(layer(x).value().to_vector<float>() == first);
  layer.eval();
  CHECK(layer(x).value().to_vector<float>() == std::vector<float>(1000, 1.0F));
}
