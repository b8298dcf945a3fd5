// What holds of every layer kind, for the samples of each.
#include "models/layer.h"

#include <algorithm>
#include <cmath>

#include "autograd/tape.h"
#include "models/compile.h"
#include "models/network.h"
#include "runtime/plan.h"
#include "tests/models/kinds/samples.h"
#include "tests/support/throws.h"

using namespace cbnet;
using cbnet::testing::LayerSample;
using cbnet::testing::network_of;

namespace {

struct Kind {
  const char* name;
  std::vector<LayerSample> samples;
};

std::vector<Kind> all_kinds() {
  return {
#define LAYER(name, Type) {#name, cbnet::testing::name##_samples()},
#include "models/layers.def"
#undef LAYER
  };
}

/// In evaluation mode, weights and statistics random.
std::unique_ptr<Network> random_network(const LayerSample& sample) {
  auto network = std::make_unique<Network>(network_of(sample), 3);
  Rng rng(4);
  for (auto& [name, tensor] : network->state_dict())
    tensor.copy_from(Tensor::uniform(tensor.shape(), name.ends_with("running_var") ? 0.5 : -1.0, 1.5, rng));
  network->eval();
  return network;
}

template <class F>
void for_each_sample(F f) {
  for (const Kind& kind : all_kinds()) {
    for (const LayerSample& sample : kind.samples) {
      CAPTURE(describe(sample.layer));
      CHECK(std::string(sample.layer->kind()) == kind.name);
      f(sample);
    }
  }
}

}  // namespace

TEST_CASE("kinds: every one has samples, and its name is one") {
  std::vector<std::string> names;
  for (const Kind& kind : all_kinds()) {
    CHECK(!kind.samples.empty());
    names.emplace_back(kind.name);
  }
  CHECK(names.size() == layer_kinds().size());
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  CHECK_THROWS_SAYING(make_layer("conv3d"), std::invalid_argument, "[spec] unknown layer kind 'conv3d'");
}

TEST_CASE("kinds: fields go through JSON and back, and the description tells those that are set") {
  for_each_sample([](const LayerSample& sample) {
    const NetworkSpec spec = network_of(sample);
    const NetworkSpec read = network_spec_from_json(to_json(spec));
    CHECK(read == spec);
    CHECK(to_json(read) == to_json(spec));
    CHECK(LayerSpec(sample.layer->clone()) == LayerSpec(sample.layer->clone()));
    const LayerSpec plain(make_layer(sample.layer->kind()));
    const LayerSpec own(sample.layer->clone());
    if (!(plain == own) && std::string(own->kind()) != "residual") CHECK(describe(plain) != describe(own));
  });
}

TEST_CASE("kinds: what is promised is what is made: shape and parameters") {
  for_each_sample([](const LayerSample& sample) {
    const std::unique_ptr<Network> owned = random_network(sample);
    Network& network = *owned;
    const NetworkSpec& spec = network.spec();
    const Variable made = network.forward(Variable(Tensor::ones({2, 6})));
    Shape shape = sample.layer->infer(sample.in);
    const Cost cost = sample.layer->cost(sample.in, shape);
    shape.insert(shape.begin(), 2);
    CHECK(made.shape() == shape);
    CHECK(total_cost(spec).parameters == network.parameter_count());
    CHECK(layer_costs(spec).back().parameters == cost.parameters);
  });
}

TEST_CASE("kinds: every weight of a layer gets its gradient") {
  for_each_sample([](const LayerSample& sample) {
    const std::unique_ptr<Network> owned = random_network(sample);
    Network& network = *owned;
    network.train();
    Variable made = network.forward(Variable(Tensor::uniform({3, 6}, -1, 1, network.dropout_rng())));
    made.backward(Tensor::ones(made.shape()));
    for (const auto& [name, parameter] : network.named_parameters()) {
      CAPTURE(name);
      CHECK(parameter.grad().defined());
    }
  });
}

TEST_CASE("kinds: a plan computes what the modules compute") {
  for_each_sample([](const LayerSample& sample) {
    const std::unique_ptr<Network> owned = random_network(sample);
    Network& network = *owned;
    Rng rng(5);
    const Tensor pixels = Tensor::uniform({3, 6}, 0, 1, rng);
    const std::vector<float> expected = [&] {
      const NoGrad no_grad;
      return network.forward(Variable(pixels)).value().to_vector<float>();
    }();
    for (const Isa isa : available_isas()) {
      const runtime::Plan plan(autoencoder_graph(network, 1.0), isa);
      runtime::Workspace workspace(plan);
      const std::span<const float> got = plan.run(std::as_const(pixels).data<float>(), 3, workspace).output;
      REQUIRE(got.size() == expected.size());
      // Both sum at most a few hundred products of size 1 in f32, in another order.
      float worst = 0;
      for (std::size_t i = 0; i < got.size(); ++i)
        worst = std::max(worst, std::fabs(got[i] - expected[i]) / std::max(1.0F, std::fabs(expected[i])));
      CHECK(worst < 1e-5F);
    }
  });
}
