#include "layers/batch_norm.h"

#include <doctest/doctest.h>
#include <cmath>

using namespace cbnet;

TEST_CASE("training uses the batch and moves the running statistics; eval uses those") {
  BatchNorm layer(1, /*momentum=*/0.5, /*eps=*/1e-12, DType::f64);
  const Variable x(Tensor::from<double>({1, 3}, {2, 1}));
  const Variable y = layer(x);
  CHECK(y.value().at({0, 0}) == doctest::Approx(-1.0));
  CHECK(y.value().at({1, 0}) == doctest::Approx(1.0));
  CHECK(layer.running_mean.item() == doctest::Approx(1.0));  // half way from 0 to 2
  CHECK(layer.running_var.item() == doctest::Approx(1.5));   // half way from 1 to the unbiased 2
  layer.eval();
  CHECK(layer(x).value().at({1, 0}) == doctest::Approx(2.0 / std::sqrt(1.5)));
  CHECK(layer.state_dict().size() == 4);
  CHECK(layer.parameters().size() == 2);
}
