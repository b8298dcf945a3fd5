#include "layers/batch_norm.h"

#include <cmath>

#include "tests/support/throws.h"

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
}

TEST_CASE("the state has PyTorch's names, and is loaded under the earlier ones too") {
  BatchNorm layer(2);
  StateDict state = layer.state_dict();
  std::vector<std::string> names;
  for (const auto& [name, tensor] : state) names.push_back(name);
  CHECK(names == std::vector<std::string>{"weight", "bias", "running_mean", "running_var"});
  CHECK(layer.parameters().size() == 2);
  const Tensor two = Tensor::full({2}, 2.0), three = Tensor::full({2}, 3.0);
  layer.load_state_dict({{"gamma", two}, {"beta", three}, {"running_mean", two}, {"running_var", three}});
  CHECK(layer.weight.value().at({1}) == 2);
  CHECK(layer.bias.value().at({1}) == 3);
  CHECK_THROWS_SAYING(layer.load_state_dict({{"gamma", two}, {"running_mean", two}, {"running_var", three}}),
                      std::invalid_argument, "entry 'bias' is missing");
}
