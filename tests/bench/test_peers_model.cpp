#include "bench/peers/model.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "bench/networks.h"
#include "models/kinds/tanh.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::peers;

TEST_CASE("peers: an unknown model and a share that is none are refused") {
  CHECK_THROWS_SAYING(make_model("lenet-mnist", 1, 0.3), std::invalid_argument, "lenet-mnist");
  CHECK_THROWS_SAYING(make_model("lenet", 1, 1.5), std::invalid_argument, "1.5");
}

TEST_CASE("peers: a layer that not every engine has is refused by name") {
  const auto first_layer = [](const LayerSpec& layer) {
    NetworkSpec spec;
    spec.input = layer.is<kinds::Linear>() ? Shape{28} : Shape{2, 28, 28};
    spec.trunk = {layer};
    return peer_model("lenet", spec, {}, 0.0).trunk.front();
  };
  CHECK_THROWS_SAYING(first_layer(kinds::Tanh{}), std::invalid_argument, "trunk.0: tanh");
  for (const kinds::Conv2d& conv : std::vector<kinds::Conv2d>{{.out = 4, .kernel_size = {3, 5}},
                                                              {.out = 4, .stride = {1, 2}},
                                                              {.out = 4, .padding = Pair(1, 2)},
                                                              {.out = 4, .padding = {1, 1, 2, 2}},
                                                              {.out = 4, .dilation = 2},
                                                              {.out = 4, .groups = 2},
                                                              {.out = 4, .bias = false}})
    CHECK_THROWS_SAYING(first_layer(conv), std::invalid_argument, describe(conv));
  CHECK_THROWS_SAYING(first_layer(kinds::MaxPool2d{.kernel_size = 2, .padding = 1}), std::invalid_argument,
                      "max_pool2d");
  CHECK_THROWS_SAYING(first_layer(kinds::Linear{.out = 4, .bias = false}), std::invalid_argument, "linear 4");
  CHECK_THROWS_SAYING(first_layer({kinds::Conv2d{.out = 4}, {0}}), std::invalid_argument, "conv2d 4 of 0");
  const auto conv = first_layer(kinds::Conv2d{.out = 4, .kernel_size = 5, .stride = 3, .padding = 2});
  CHECK(conv.is<kinds::Conv2d>());
  CHECK(conv.out == Shape{4, 10, 10});
  const auto pool = first_layer(kinds::MaxPool2d{.kernel_size = 3, .stride = 2, .ceil_mode = true});
  CHECK(pool.is<kinds::MaxPool2d>());
  CHECK(pool.out == Shape{2, 14, 14});
}

TEST_CASE("peers: costs are those counted by hand") {
  const ModelCost lenet = cost_of(make_model("lenet", 1, 0.3), 0.3);
  CHECK(lenet.macs == 1'140'070);
  CHECK(lenet.macs_without_padding == 792'790);
  CHECK(lenet.weight_bytes == 271'296);
  CHECK(lenet.byte_macs == 60'480 + 840);
  const ModelCost classifier = cost_of(make_model("classifier", 1, 0.3), 0.3);
  CHECK(classifier.macs == 220'150);
  CHECK(classifier.macs_without_padding == 194'070);
  CHECK(cost_of(make_model("branchynet", 1, 0.25), 0.25).macs == doctest::Approx(220'150 + 0.25 * 1'027'570));
  CHECK(cost_of(make_model("cbnet-mnist", 1, 0.3), 0.3).macs == 953'088 + 220'150);
}

TEST_CASE("peers: folding saves multiply-adds and changes no result") {
  for (const std::string& name : bench::network_names()) {
    CAPTURE(name);
    const PeerModel model = make_model(name, 1, 0.3);
    const PeerModel less = folded(model);
    const Tensor pixels = images(2, 3);
    const std::vector<double> expected = reference(model, pixels), actual = reference(less, pixels);
    REQUIRE(actual.size() == expected.size());
    double worst = 0.0;
    for (std::size_t i = 0; i < actual.size(); ++i)
      worst = std::max(worst, std::abs(actual[i] - expected[i]));
    CHECK(worst < 1e-6);  // the joined weights are rounded to f32
    CHECK(cost_of(less, 0.3).macs <= cost_of(model, 0.3).macs);
  }
  CHECK(cost_of(folded(make_model("lenet", 1, 0.3)), 0.3).macs == 1'085'950);
  CHECK(cost_of(folded(make_model("autoencoder-kmnist", 1, 0.3)), 0.3).macs == 442'880);
  CHECK(cost_of(folded(make_model("autoencoder-mnist", 1, 0.3)), 0.3).macs == 953'088);
}

TEST_CASE("peers: the asked share of images stays behind the side exit") {
  for (const double share : {0.0, 0.25, 1.0}) {
    CAPTURE(share);
    const PeerModel model = make_model("branchynet", 3, share);
    PeerModel late = model;
    late.threshold = -1.0;  // no entropy is below it
    const Tensor pixels = images(3, 64);
    const std::vector<double> out = reference(model, pixels), stayed = reference(late, pixels);
    int hard = 0;
    for (std::size_t i = 0; i < 64; ++i) hard += out[10 * i] == stayed[10 * i] ? 1 : 0;
    CHECK(hard == std::lround(64 * share));
  }
}

TEST_CASE("peers: ReLU goes before the pool, and sizes follow") {
  const auto layers = relu_before_pool(make_model("lenet", 1, 0.3).trunk);
  REQUIRE(layers.size() == 12);
  CHECK(layers[1].is<kinds::Relu>());
  CHECK(layers[1].out == Shape{5, 30, 30});
  CHECK(layers[2].is<kinds::MaxPool2d>());
  CHECK(layers[2].in == Shape{5, 30, 30});
  CHECK(layers[2].out == Shape{5, 15, 15});
}

TEST_CASE("peers: entropy of even and of sure logits") {
  const std::vector<float> even(10, 3.0F);
  CHECK(softmax_entropy(even.data(), 10) == doctest::Approx(std::log(10.0)));
  std::vector<float> sure(10, 0.0F);
  sure[4] = 200.0F;
  CHECK(softmax_entropy(sure.data(), 10) == doctest::Approx(0.0));
}
