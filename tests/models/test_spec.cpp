#include "models/spec.h"

#include "models/zoo.h"
#include "tensor/error.h"
#include "tests/support/kinds.h"
#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("sizes that do not fit throw and name the layer") {
  NetworkSpec net{"x", {1, 4, 4}, {kinds::Conv2d{.out = 2, .kernel_size = 5}}, {}};
  CHECK_THROWS_SAYING(layer_costs(net), std::invalid_argument, "trunk.0: [conv2d] the kernel is larger");
  net.trunk = {kinds::Linear{.out = 3}};
  CHECK_THROWS_SAYING(layer_costs(net), std::invalid_argument, "hint: flatten first");
  net.trunk = {kinds::Conv2d{.out = 2, .kernel_size = 3},
               kinds::Conv2d{.out = 3, .kernel_size = 1, .groups = 2}};
  CHECK_THROWS_SAYING(layer_costs(net), std::invalid_argument, "trunk.1: [conv2d] channels (2 in, 3 out)");
  net.trunk = {kinds::Residual{.body = {kinds::Conv2d{.out = 2, .kernel_size = 1}}}};
  CHECK_THROWS_SAYING(layer_costs(net), std::invalid_argument, "one shape; got (2,4,4) and (1,4,4)");
  net.trunk = {kinds::Unflatten{.shape = {5}}};
  CHECK_THROWS_SAYING(layer_costs(net), std::invalid_argument, "cannot show (1,4,4) as (5)");
  net.trunk = {kinds::Conv2d{.out = 1 << 30, .kernel_size = 1}};
  CHECK_THROWS_SAYING(layer_costs(net), std::invalid_argument, "sizes must be 0 to 1048576; got 1073741824");
  constexpr std::int64_t kMost = 1 << 20;
  net = {"x", {2 * kMost}, {kinds::BatchNorm{}}, {}};
  CHECK_THROWS_SAYING(layer_costs(net), std::invalid_argument, "[input] sizes must be 0 to 1048576");
  const LayerSpecs wide = {kinds::Flatten{}, kinds::Linear{.out = 7, .bias = false}};
  net = {"x", {kMost, kMost, kMost}, wide, {{0, wide}}};
  CHECK_THROWS_SAYING(total_cost(net), std::invalid_argument, "more than 2^63 weights");
  net = lenet_spec();
  net.exits = {{6, {}}, {3, {}}};
  CHECK_THROWS_SAYING(layer_costs(net), std::invalid_argument, "exits must stand along the trunk in order");
  CHECK_THROWS_SAYING(truncate(lenet_spec(), 99, {}, "x"), std::invalid_argument,
                      "the trunk has 12 layers; got 99");
  CHECK_THROWS_SAYING(make_layer("conv3d"), std::invalid_argument, "'conv3d'");
}

TEST_CASE("ceil_mode keeps only windows that start inside") {
  const auto pooled = [](std::int64_t size, const LayerSpec& pool) {
    return trunk_shape({"x", {1, size, size}, {pool}, {}}, 1)[1];
  };
  CHECK(pooled(15, kinds::MaxPool2d{.kernel_size = 2, .stride = 2, .ceil_mode = true}) == 8);
  CHECK(pooled(15, kinds::MaxPool2d{.kernel_size = 2, .stride = 2, .ceil_mode = false}) == 7);
  CHECK(pooled(16, kinds::MaxPool2d{.kernel_size = 2, .stride = 2, .ceil_mode = true}) == 8);
  CHECK(pooled(5, kinds::MaxPool2d{.kernel_size = 2, .stride = 4, .ceil_mode = true}) == 2);
  CHECK(pooled(4, kinds::MaxPool2d{.kernel_size = 1, .stride = 4, .ceil_mode = true}) ==
        1);  // the next window would start at 4
}

TEST_CASE("costs add up, residual bodies included") {
  const NetworkSpec net{
      "x",
      {3, 8, 8},
      {kinds::Residual{.body = {kinds::Conv2d{.out = 4, .kernel_size = 3, .padding = 1, .bias = false},
                                kinds::BatchNorm{}},
                       .shortcut = {kinds::Conv2d{.out = 4, .kernel_size = 1}}},
       kinds::GlobalAvgPool2d{}, kinds::Flatten{}, kinds::Linear{.out = 2}},
      {}};
  const Cost cost = total_cost(net);
  CHECK(cost.macs == 64 * 4 * 27 + 64 * 4 * 3 + 8);
  CHECK(cost.parameters == 4 * 27 + 8 + (4 * 3 + 4) + (8 + 2));
}

TEST_CASE("JSON round-trips every network of the paper and a residual one") {
  NetworkSpec odd{
      "odd",
      {3, 9, 9},
      {kinds::Residual{.body = {kinds::Conv2d{.out = 3, .kernel_size = 3, .padding = 1, .groups = 3}}},
       kinds::Dropout{.p = 0.25}, kinds::AvgPool2d{.kernel_size = 3, .stride = 3, .ceil_mode = true},
       kinds::LeakyRelu{.slope = 0.2}},
      {{1, {kinds::Flatten{}, kinds::Linear{.out = 2, .bias = false}}}},
      Init::he_normal};
  for (const NetworkSpec& net : {lenet_spec(), branchynet_spec(), classifier_spec(),
                                 autoencoder_spec("kmnist", OutputActivation::softmax), odd}) {
    CHECK(network_spec_from_json(to_json(net)) == net);
  }
}

TEST_CASE("a damaged description gives one clear error") {
  CHECK_THROWS_SAYING(network_spec_from_json("{"), InputError, "expected the JSON of a network");
  CHECK_THROWS_SAYING(network_spec_from_json("{}"), InputError, "'name' not found");
  std::string text = to_json(lenet_spec());
  text.replace(text.find("conv2d"), 6, "conv9d");
  CHECK_THROWS_SAYING(network_spec_from_json(text), InputError, "unknown layer kind 'conv9d'");
  text = to_json(lenet_spec());
  text.replace(text.find("\"out\":5"), 7, "\"oot\":5");
  CHECK_THROWS_SAYING(network_spec_from_json(text), InputError, "unknown key 'oot' in a conv2d");
  std::string deep = R"({"name":"x","input":[1],"exits":[],"init":"he_normal","trunk":)";
  std::string layer = R"({"kind":"relu"})";
  for (int i = 0; i < 12; ++i) layer = R"({"kind":"residual","body":[)" + layer + "]}";
  CHECK_THROWS_SAYING(network_spec_from_json(deep + "[" + layer + "]}"), InputError, "nested deeper");
  for (const char* key : {"kernel_size", "stride", "dilation", "padding"}) {
    text = concat(
        R"({"name":"x","input":[1,4,4],"exits":[],"init":"he_normal","trunk":[{"kind":"conv2d","out":2,")",
        key, "\":9223372036854775807}]}");
    CHECK_THROWS_SAYING(network_spec_from_json(text), InputError, "2147483647");
  }
  std::string many = R"({"kind":"relu"})";
  for (int i = 0; i < 1000; ++i) many += R"(,{"kind":"relu"})";
  CHECK_THROWS_SAYING(network_spec_from_json(deep + "[" + many + "]}"), InputError,
                      "at most 1000; got array of 1001");
}
