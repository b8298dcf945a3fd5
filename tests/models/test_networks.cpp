#include "models/networks.h"

#include <set>

#include "models/compile.h"
#include "models/network.h"
#include "tests/support/throws.h"

using namespace cbnet;

TEST_CASE("unknown names and pictures that are too small are refused") {
  CHECK_THROWS_SAYING(make_network("vgg", {}), std::invalid_argument, "expected lenet, branchynet, alexnet");
  CHECK_THROWS_SAYING(make_network("branchynet", {{1, 0, 28}, 10}), std::invalid_argument, "");
}

TEST_CASE(
    "every network of the list has a name of its own, takes other pictures and classes, and is planned") {
  std::set<std::string> names;
  for (const NetworkEntry& entry : networks()) {
    CAPTURE(std::string(entry.name));
    CHECK(names.insert(entry.name).second);
    for (const ImageTask& task : {ImageTask{}, ImageTask{{3, 32, 32}, 10}, ImageTask{{3, 24, 40}, 5}}) {
      const NetworkSpec spec = make_network(entry.name, task);
      CHECK(spec.name == entry.name);
      CHECK(trunk_shape(spec, static_cast<std::int64_t>(spec.trunk.size())) == Shape{task.classes});
      for (const ExitSpec& exit : spec.exits)
        CHECK(shapes_along(exit.branch, trunk_shape(spec, exit.after)).back() == Shape{task.classes});
      CHECK(network_spec_from_json(to_json(spec)) == spec);
    }
    const NetworkSpec spec = make_network(entry.name, {{3, 24, 40}, 5});
    if (spec.trunk.size() > 40) continue;  // 110 layers of weights add nothing but time
    const Network network(spec, 1);
    CHECK(classifier_graph(network, std::vector<double>(spec.exits.size(), 0.5)).exits.size() ==
          spec.exits.size());
  }
}

TEST_CASE("AlexNet and ResNet have their published sizes") {
  const ImageTask cifar{{3, 32, 32}, 10};
  // B-AlexNet: 1,024 features before the linear layers, 512 and 128 in its branches.
  const NetworkSpec alexnet = make_network("b-alexnet", cifar);
  REQUIRE(alexnet.exits.size() == 2);
  const auto features = [](const LayerSpecs& layers, const Shape& input) {
    const std::vector<Shape> shapes = shapes_along(layers, input);
    return shapes[shapes.size() - 2];
  };
  CHECK(features(alexnet.exits[0].branch, trunk_shape(alexnet, alexnet.exits[0].after)) == Shape{512});
  CHECK(features(alexnet.exits[1].branch, trunk_shape(alexnet, alexnet.exits[1].after)) == Shape{128});
  CHECK(trunk_shape(alexnet, 19) == Shape{1024});
  // He et al. 2016, Table 6: 0.27 M and 1.7 M parameters; the 1x1 shortcuts add 2,752.
  CHECK(total_cost(make_network("resnet20", cifar)).parameters == 272'474);
  CHECK(total_cost(make_network("resnet110", cifar)).parameters == 1'730'714);
  // Banbury et al. 2021, image classification: 12.5 M multiply-adds.
  CHECK(total_cost(make_network("resnet8", cifar)).macs == 12'501'632);
  CHECK(total_cost(make_network("resnet8", cifar)).parameters == 78'042);
  CHECK(total_cost(make_network("resnet20", cifar)).macs == 40'813'184);
}

TEST_CASE("an early exit costs less than the trunk, and each less than the next") {
  for (const char* name : {"b-alexnet", "b-resnet20", "b-resnet110"}) {
    const std::vector<std::int64_t> macs = macs_by_exit(make_network(name, {{3, 32, 32}, 10}));
    REQUIRE(macs.size() == 3);
    CHECK(macs[0] < macs[1]);
    CHECK(macs[1] < macs[2]);
  }
}
