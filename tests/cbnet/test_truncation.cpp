#include "cbnet/truncation.h"

#include "models/kinds/add.h"
#include "models/kinds/conv2d.h"
#include "models/kinds/dropout.h"
#include "models/kinds/flatten.h"
#include "models/kinds/linear.h"
#include "models/kinds/max_pool2d.h"
#include "models/kinds/relu.h"
#include "tests/cbnet/tiny.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::testing;
using namespace cbnet::kinds;

namespace {

/// Three weighted layers that cost more than an autoencoder of their images.
NetworkSpec wide_network() {
  return {"wide",
          {1, 28, 28},
          {Conv2d{.out = 8, .kernel_size = 5, .padding = 2}, Relu{}, MaxPool2d{.kernel_size = 2, .stride = 2},
           Conv2d{.out = 32, .kernel_size = 5, .padding = 2}, Relu{}, Flatten{}, Linear{.out = 10}},
          {},
          Init::he_normal};
}

Recipe quick() {
  Recipe recipe = short_recipe();
  recipe.truncation = {3, 8, 0.05};
  recipe.thresholds = {};
  return recipe;
}

}  // namespace

TEST_CASE("a cut stands behind a weighted layer and what follows it without weights") {
  const std::vector<Cut> cuts = cuts_of(wide_network());
  REQUIRE(cuts.size() == 2);
  CHECK(cuts[0].k == 1);
  CHECK(cuts[0].layers == 3);
  CHECK(cuts[1].k == 2);
  CHECK(cuts[1].layers == 5);  // the output layer flattens itself
  // What a later layer reads across cannot be cut.
  NetworkSpec across = wide_network();
  const Conv2d conv{.out = 8, .kernel_size = 3, .padding = 1};
  across.trunk = {conv, conv, conv, LayerSpec(Add{}, {1, 3}), Flatten{}, Linear{.out = 10}};
  const std::vector<Cut> beside = cuts_of(across);
  REQUIRE(beside.size() == 2);
  CHECK(beside[0].layers == 1);
  CHECK(beside[1].k == 3);
}

TEST_CASE("the choice is the first K that is nearly as accurate as the best; each trial says what it costs") {
  const Recipe recipe = quick();
  const StageData data(bar_dataset(600, 10), recipe, 1);
  Network network(wide_network(), 1);
  fit(classifier_stage("wide", network, recipe.lenet, recipe, data), data.training, {});
  const Truncation chosen = choose_truncation(network, data, recipe, {});
  REQUIRE(chosen.trials.size() == 2);
  for (const CutTrial& trial : chosen.trials) {
    CAPTURE(trial.cut.k);
    CAPTURE(trial.refused);
    CHECK(trial.easy + trial.hard == 550);
    CHECK(trial.easy > 100);
    CHECK(trial.classifier_accuracy > 0.8);
    CHECK(trial.cbnet_accuracy > 0.5);
    CHECK(trial.autoencoder_macs == 665'600);
    CHECK(trial.cbnet_us > 0);
  }
  CHECK(chosen.trials[0].classifier_macs < chosen.trials[1].classifier_macs);
  CHECK(chosen.network_macs == total_cost(wide_network()).macs);
  const double best = std::max(chosen.trials[0].cbnet_accuracy, chosen.trials[1].cbnet_accuracy);
  CHECK(chosen.choice().cbnet_accuracy >= best - 0.05);
  if (chosen.choice().cut.k == 2) CHECK(chosen.trials[0].cbnet_accuracy < best - 0.05);
  // The layers before the cut are the network's, to the bit.
  const StateDict whole = network.state_dict(), cut = chosen.classifier->state_dict();
  CHECK(cut.front().second.to_vector<float>() == whole.front().second.to_vector<float>());
  CHECK(to_json(chosen).at("trials").size() == 2);
  CHECK(contains(to_text(chosen), "* "));

  const Truncation second = choose_truncation(network, data, recipe, {2, 1, {}, {}});
  CHECK(second.choice().cut.k == 2);
  CHECK(second.choice().easy == chosen.trials[1].easy);
  CHECK_THROWS_SAYING(choose_truncation(network, data, recipe, {3, 1, {}, {}}), std::invalid_argument,
                      "can be cut behind weighted layer 1 to 2; got 3; hint: --k auto");
}

TEST_CASE("a network that an autoencoder costs more than is not cut unasked") {
  const Recipe recipe = quick();
  const StageData data(bar_dataset(200, 10), recipe, 1);
  Network small(
      {"small", {1, 28, 28}, {Conv2d{.out = 2, .kernel_size = 3}, Relu{}, Flatten{}, Linear{.out = 10}}, {}},
      1);
  CHECK_THROWS_SAYING(choose_truncation(small, data, recipe, {}), std::runtime_error, "no cut of 'small'");
}
