#include "layers/module.h"

#include "layers/dropout.h"
#include "layers/linear.h"
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
