#include "models/layer_list.h"

#include "autograd/ops/mean.h"
#include "models/network.h"
#include "tests/support/kinds.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {

/// A 2x3 sample through every kind that joins.
NetworkSpec joined() {
  return {"joined",
          {2, 3},
          {kinds::Mul{.shape = {3}},                          // 1: (2,3)
           LayerSpec(kinds::Transpose{.axes = {1, 0}}, {0}),  // 2: (3,2)
           LayerSpec(kinds::Matmul{}, {1, 2}),                // 3: (2,2)
           LayerSpec(kinds::Concat{.axis = 1}, {1, 3}),       // 4: (2,5)
           LayerSpec(kinds::Add{}, {4, 4}),                   // 5: (2,5)
           LayerSpec(kinds::Mul{}, {5, 4}),                   // 6: (2,5)
           kinds::Add{.shape = {2, 1}},                       // 7: (2,5)
           kinds::Flatten{}, kinds::Linear{.out = 4, .bias = false}},
          {}};
}

}  // namespace

TEST_CASE("layers that read the wrong ones throw and name the layer") {
  const auto throws = [](LayerSpecs layers, const char* says) {
    CHECK_THROWS_SAYING(layer_costs({"x", {2, 3}, std::move(layers), {}}), std::invalid_argument, says);
  };
  throws({LayerSpec(kinds::Add{}, {0, 2})}, "trunk.0: [add] reads position 2; expected 0 to 0");
  throws({LayerSpec(kinds::Add{}, {0, -1})}, "reads position -1");
  throws({LayerSpec(kinds::Add{}, {0})}, "[add] reads 2 layers; got 1");
  throws({LayerSpec(kinds::Concat{.axis = 2}, {0, 0})}, "[concat] along axis 2 of (2,3)");
  throws({kinds::Flatten{}, LayerSpec(kinds::Concat{}, {0, 1})}, "[concat] needs one rank");
  throws({kinds::Flatten{}, LayerSpec(kinds::Mul{}, {0, 1})}, "sizes do not fit; got (2,3) and (6)");
  throws({LayerSpec(kinds::Matmul{}, {0, 0})}, "[matmul] needs (…,M,K) and (…,K,N); got (2,3) and (2,3)");
  throws({kinds::Transpose{.axes = {0, 0}}}, "every axis of (2,3) once; got (0,0)");
  throws({kinds::Add{.shape = {1, 2, 3}}}, "sizes do not fit");
  throws({kinds::Add{.shape = {4}}}, "trunk.0: [add] shapes must broadcast");
}

TEST_CASE("an exit cuts the trunk: nothing behind it reads what stands before") {
  NetworkSpec net{
      "x",
      {4},
      {kinds::Linear{.out = 4}, kinds::Relu{}, LayerSpec(kinds::Add{}, {1, 2}), kinds::Linear{.out = 2}},
      {{2, {kinds::Linear{.out = 2}}}}};
  CHECK_THROWS_SAYING(layer_costs(net), std::invalid_argument,
                      "trunk.2: [add] reads position 1; expected 2 to 2");
  net.exits[0].after = 3;
  CHECK(macs_by_exit(net) == std::vector<std::int64_t>{16 + 8, 16 + 8 + 8});
  Network network(net);
  CHECK_THROWS_SAYING(network.forward_trunk(Variable(Tensor::zeros({1, 4})), 2, 4), std::invalid_argument,
                      "layer 2 reads position 1, before 2");
}

TEST_CASE("joined layers compute what they say") {
  Network network(joined(), 1, DType::f64);
  StateDict state = network.state_dict();
  REQUIRE(state.size() == 3);
  CHECK(state[0].first == "trunk.0.value");
  CHECK(state[1].first == "trunk.6.value");
  state[0].second.copy_from(Tensor::from<double>({1, 2, 3}, {3}));
  state[1].second.copy_from(Tensor::from<double>({10, 20}, {2, 1}));
  // The first sample by hand: x = 0 1 2 / 3 4 5, scaled 0 2 6 / 3 8 15, times x^T 14 38 / 38 116.
  const Variable x(Tensor::from<double>({0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 0}, {2, 2, 3}), true);
  const Tensor seen = network.forward_trunk(x, 0, 7).value();
  CHECK(seen.select(0, 0).to_vector<double>() ==
        std::vector<double>{10, 18, 82, 402, 2898, 38, 148, 470, 2908, 26932});
  const Cost cost = total_cost(network.spec());
  CHECK(cost.macs == 2 * 3 * 2 + 10 * 4);
  CHECK(cost.parameters == 3 + 2 + 10 * 4);
  // Every input of a layer gets its gradient.
  mean(network.forward(x)).backward();
  for (const auto& parameter : network.named_parameters()) {
    INFO(parameter.first);
    CHECK(parameter.second.grad().defined());
  }
  CHECK(x.grad().defined());
}

TEST_CASE("JSON round-trips layers that read others") {
  CHECK(network_spec_from_json(to_json(joined())) == joined());
  const LayerSpec pool = kinds::AvgPool2d{.kernel_size = {2, 3}, .stride = 2, .count_include_pad = false};
  const LayerSpec norm = kinds::BatchNorm{.epsilon = 1e-3};
  const NetworkSpec net{"x", {1, 4, 4}, {pool, norm}, {}};
  CHECK(network_spec_from_json(to_json(net)) == net);
}
