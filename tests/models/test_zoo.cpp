#include "models/zoo.h"

#include <map>

#include "models/network.h"
#include "tests/support/kinds.h"
#include "tests/support/throws.h"

using namespace cbnet;

namespace {
std::vector<Shape> outputs_of(const NetworkSpec& net, const char* kind) {
  std::vector<Shape> out;
  for (const LayerCost& layer : layer_costs(net)) {
    if (layer.description.starts_with(kind)) out.push_back(layer.output);
  }
  return out;
}
std::vector<std::int64_t> macs_of(const NetworkSpec& net) {
  std::vector<std::int64_t> out;
  for (const LayerCost& layer : layer_costs(net)) {
    if (layer.macs > 0) out.push_back(layer.macs);
  }
  return out;
}
}  // namespace

TEST_CASE("other pictures and classes: the same layers, of other sizes") {
  const ImageTask task{{3, 24, 40}, 5};
  const NetworkSpec branchynet = branchynet_spec(task);
  const auto size = static_cast<std::int64_t>(branchynet.trunk.size());
  CHECK(trunk_shape(lenet_spec(task), size) == Shape{5});
  CHECK(trunk_shape(branchynet, size) == Shape{5});
  const NetworkSpec classifier = classifier_spec(task);
  CHECK(classifier.input == Shape{3, 24, 40});
  CHECK(trunk_shape(classifier, static_cast<std::int64_t>(classifier.trunk.size())) == Shape{5});
  // A dataset that Table I does not have gets the hidden layers of Fashion-MNIST.
  const NetworkSpec other = autoencoder_spec("flowers", OutputActivation::sigmoid, task.input);
  const NetworkSpec clothes = autoencoder_spec("fmnist", OutputActivation::sigmoid);
  CHECK(trunk_shape(other, static_cast<std::int64_t>(other.trunk.size())) == Shape{3 * 24 * 40});
  for (std::size_t i = 0; i + 2 < clothes.trunk.size(); ++i) CHECK(other.trunk[i] == clothes.trunk[i]);
}

TEST_CASE("LeNet has the published sizes, MACs and parameters") {
  const NetworkSpec lenet = lenet_spec();
  CHECK(outputs_of(lenet, "conv2d") == std::vector<Shape>{{5, 30, 30}, {10, 17, 17}, {20, 11, 11}});
  CHECK(outputs_of(lenet, "max_pool2d") == std::vector<Shape>{{5, 15, 15}, {10, 9, 9}, {20, 6, 6}});
  CHECK(macs_of(lenet) == std::vector<std::int64_t>{112'500, 361'250, 605'000, 60'480, 840});
  CHECK(total_cost(lenet).macs == 1'140'070);
  CHECK(total_cost(lenet).parameters == 67'824);
  CHECK(Network(lenet).parameter_count() == 67'824);
}

TEST_CASE("BranchyNet and the classifier cut from it have the published counts") {
  const NetworkSpec branchynet = branchynet_spec();
  CHECK(macs_by_exit(branchynet) == std::vector<std::int64_t>{220'150, 1'247'720});
  CHECK(total_cost(branchynet).parameters == 67'824 + 460 + 6'410);
  const NetworkSpec classifier = classifier_spec();
  CHECK(macs_of(classifier) == std::vector<std::int64_t>{112'500, 101'250, 6'400});
  CHECK(total_cost(classifier).macs == 220'150);
  CHECK(total_cost(classifier).parameters == 7'000);
  CHECK(Network(classifier).parameter_count() == 7'000);
  CHECK(outputs_of(classifier, "flatten") == std::vector<Shape>{{640}});
}

TEST_CASE("the autoencoders have the counts of Table I") {
  struct Row {
    const char* dataset;
    std::int64_t macs, parameters;
    std::size_t relus;
  };
  for (const Row& row : {Row{"mnist", 953'088, 955'072, 2}, Row{"fmnist", 665'600, 667'280, 2},
                         Row{"kmnist", 635'392, 637'104, 1}}) {
    for (const auto output : {OutputActivation::softmax, OutputActivation::sigmoid}) {
      const NetworkSpec net = autoencoder_spec(row.dataset, output);
      CHECK(total_cost(net).macs == row.macs);
      CHECK(total_cost(net).parameters == row.parameters);
      CHECK(outputs_of(net, "relu").size() == row.relus);
      CHECK(layer_costs(net).back().description == to_string(output));
    }
  }
}

TEST_CASE("the penalised layers are the three hidden ones, the code last") {
  const NetworkSpec fmnist = autoencoder_spec("fmnist", OutputActivation::sigmoid);
  const auto hidden = autoencoder_hidden_layers(fmnist);
  REQUIRE(hidden.size() == 3);
  CHECK(trunk_shape(fmnist, hidden[0] + 1) == Shape{512});
  CHECK(fmnist.trunk[static_cast<std::size_t>(hidden[1])].is<kinds::Relu>());
  CHECK(trunk_shape(fmnist, hidden[2] + 1) == Shape{128});
  CHECK(fmnist.trunk[static_cast<std::size_t>(hidden[2])].is<kinds::Linear>());
  const auto kmnist = autoencoder_hidden_layers(autoencoder_spec("kmnist", OutputActivation::softmax));
  CHECK(kmnist == std::vector<std::int64_t>{2, 3, 4});
}
