#include "layers/module.h"

#include "layers/activation.h"
#include "layers/batch_norm.h"
#include "layers/dropout.h"
#include "layers/linear.h"
#include "layers/residual.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {
std::shared_ptr<Sequential> two_linear(std::uint64_t seed) {
  Rng rng(seed);
  return std::make_shared<Sequential>(std::vector<std::shared_ptr<Module>>{
      std::make_shared<Linear>(3, 4, rng), std::make_shared<Linear>(4, 2, rng, /*bias=*/false)});
}
}  // namespace

TEST_CASE("load_state_dict names what is wrong and changes nothing") {
  const auto model = two_linear(1);
  const std::vector<float> before = model->parameters()[0].value().to_vector<float>();
  StateDict state = two_linear(2)->state_dict();
  state.pop_back();
  CHECK_THROWS_SAYING(model->load_state_dict(state), std::invalid_argument, "entry '1.weight' is missing");
  state = two_linear(2)->state_dict();
  state.emplace_back("9.weight", Tensor::zeros({1}));
  CHECK_THROWS_SAYING(model->load_state_dict(state), std::invalid_argument, "no entry '9.weight'");
  state = two_linear(2)->state_dict();
  state.back().second = Tensor::zeros({2, 5});
  CHECK_THROWS_SAYING(model->load_state_dict(state), std::invalid_argument,
                      "must be f32 (2,4); got f32 (2,5)");
  state.back().second = Tensor::zeros({2, 4}, DType::i64);
  CHECK_THROWS_SAYING(model->load_state_dict(state), std::invalid_argument,
                      "must be f32 (2,4); got i64 (2,4)");
  CHECK(model->parameters()[0].value().to_vector<float>() == before);
  CHECK_THROWS_SAYING(model->forward_range(Variable(Tensor::zeros({1, 3})), 1, 3), std::invalid_argument,
                      "[sequential]");
}

TEST_CASE("parameters are named by their place, a missing bias has none") {
  const auto model = two_linear(1);
  std::vector<std::string> names;
  for (const auto& [name, parameter] : model->named_parameters()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"0.weight", "0.bias", "1.weight"});
  CHECK(model->parameter_count() == 3 * 4 + 4 + 4 * 2);
}

TEST_CASE("a loaded module computes what the saved one did") {
  const auto saved = two_linear(1);
  const auto loaded = two_linear(2);
  const Variable x(Tensor::from<float>({1, -2, 3}, {1, 3}));
  CHECK((*saved)(x).value().to_vector<float>() != (*loaded)(x).value().to_vector<float>());
  loaded->load_state_dict(saved->state_dict());
  CHECK((*saved)(x).value().to_vector<float>() == (*loaded)(x).value().to_vector<float>());
}

TEST_CASE("train and eval reach every child") {
  Rng rng(1);
  const auto inner = std::make_shared<Dropout>(0.5, rng);
  Sequential outer({std::make_shared<Sequential>(std::vector<std::shared_ptr<Module>>{inner})});
  CHECK(inner->training());
  outer.eval();
  CHECK_FALSE(inner->training());
  outer.train();
  CHECK(inner->training());
}

TEST_CASE("tied weights: a module in two places is one set of parameters, under its first name") {
  Rng rng(1);
  const auto shared = std::make_shared<Linear>(3, 3, rng);
  const auto last = std::make_shared<Linear>(3, 2, rng, /*bias=*/false);
  Sequential net({shared, std::make_shared<Sequential>(std::vector<std::shared_ptr<Module>>{shared, last})});
  std::vector<std::string> names;
  for (const auto& [name, parameter] : net.named_parameters()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"0.weight", "0.bias", "1.1.weight"});
  CHECK(net.parameters().size() == 3);
  CHECK(net.parameter_count() == 9 + 3 + 6);
  names.clear();
  for (const auto& [name, tensor] : net.state_dict()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"0.weight", "0.bias", "1.1.weight"});
}

TEST_CASE("tied weights: a Variable of two modules, and buffers") {
  Rng rng(1);
  const auto encoder = std::make_shared<Linear>(3, 3, rng, /*bias=*/false);
  const auto decoder = std::make_shared<Linear>(3, 3, rng, /*bias=*/false);
  decoder->weight = encoder->weight;
  const auto norm = std::make_shared<BatchNorm>(3);
  Sequential net({encoder, norm, decoder, norm});
  CHECK(net.parameter_count() == 9 + 3 + 3);
  CHECK(net.state_dict().size() == 1 + 4);
}

TEST_CASE("tied weights: a state may name a tensor by any of its names, and by several that agree") {
  Rng rng(1);
  const auto shared = std::make_shared<Linear>(2, 2, rng, /*bias=*/false);
  Sequential net({shared, shared});
  const Tensor ones = Tensor::ones({2, 2}), twos = Tensor::full({2, 2}, 2.0);
  const auto loaded = [&](const StateDict& state) {
    net.load_state_dict(state);
    return shared->weight.value().at({1, 1});
  };
  CHECK(loaded({{"0.weight", ones}}) == 1);
  CHECK(loaded({{"1.weight", twos}}) == 2);
  CHECK(loaded({{"0.weight", ones}, {"1.weight", ones.clone()}}) == 1);  // as earlier versions wrote them
  CHECK_THROWS_SAYING(net.load_state_dict({{"0.weight", twos}, {"1.weight", ones}}), std::invalid_argument,
                      "entries '0.weight' and '1.weight' must have the same elements");
  CHECK_THROWS_SAYING(net.load_state_dict({}), std::invalid_argument, "entry '0.weight' is missing");
  CHECK_THROWS_SAYING(net.load_state_dict({{"0.weight", ones}, {"2.weight", ones}}), std::invalid_argument,
                      "no entry '2.weight'");
  CHECK(shared->weight.value().at({1, 1}) == 1);
}

TEST_CASE("a child that is a null pointer is refused") {
  std::shared_ptr<Module> child;
  CHECK_THROWS_SAYING(Sequential({child}), std::invalid_argument, "child '0' is a null pointer");
  CHECK_THROWS_SAYING(Residual(child, std::make_shared<Sequential>()), std::invalid_argument,
                      "child 'body' is a null pointer");
}

TEST_CASE(
    "sequential takes modules by value, which keep their parameters, and by shared_ptr, which it shares") {
  Linear first(2, 3);
  const Variable weight = first.weight;
  const auto last = std::make_shared<Linear>(3, 2);
  Sequential net = sequential(std::move(first), sequential(Relu(), BatchNorm(3)), last);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : net.state_dict()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"0.weight", "0.bias", "1.1.weight", "1.1.bias", "1.1.running_mean",
                                          "1.1.running_var", "2.weight", "2.bias"});
  CHECK(net.parameters()[0].same(weight));
  CHECK(net.parameters()[4].same(last->weight));
  const Sequential moved = std::move(net);
  CHECK(moved.parameters()[0].same(weight));
  CHECK(moved.state_dict().size() == 8);
}

TEST_CASE("sequential computes and learns as a Sequential of shared modules does") {
  default_rng() = Rng(5);
  Linear first(2, 3), last(3, 1);
  Sequential net = sequential(std::move(first), Relu(), std::move(last));
  Rng rng(5);
  Sequential other(
      {std::make_shared<Linear>(2, 3, rng), std::make_shared<Relu>(), std::make_shared<Linear>(3, 1, rng)});
  const Tensor x = Tensor::from<float>({1, -2, 3, 4}, {2, 2});
  Variable y = net(x), z = other(x);
  CHECK(y.value().to_vector<float>() == z.value().to_vector<float>());
  const Tensor seed = Tensor::ones({2, 1});
  y.backward(seed);
  z.backward(seed);
  CHECK(net.parameters()[0].grad().to_vector<float>() == other.parameters()[0].grad().to_vector<float>());
}
