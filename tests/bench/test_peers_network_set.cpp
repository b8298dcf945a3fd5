#include "bench/peers/network_set.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "bench/peers/calibration.h"
#include "bench/peers/graph_nodes.h"
#include "bench/peers/workload.h"
#include "models/checkpoint.h"
#include "models/kinds/max_pool2d.h"
#include "models/kinds/relu6.h"
#include "models/kinds/residual.h"
#include "models/kinds/softmax.h"
#include "models/kinds/tanh.h"
#include "models/networks.h"
#include "runtime/plan.h"
#include "tensor/error.h"
#include "tests/support/temp_folder.h"
#include "tests/support/throws.h"

using namespace cbnet;
using namespace cbnet::peers;

namespace {

PeerModel small(LayerSpecs trunk) {
  const NetworkSpec spec{"small", {2, 9, 7}, std::move(trunk), {}};
  return network_model("small", spec, Network(spec, 3).state_dict());
}

double worst(const std::vector<double>& expected, std::span<const float> actual) {
  REQUIRE(expected.size() == actual.size());
  double out = 0.0, largest = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    out = std::max(out, std::abs(expected[i] - static_cast<double>(actual[i])));
    largest = std::max(largest, std::abs(expected[i]));
  }
  return out / largest;
}

}  // namespace

TEST_CASE("peers networks: what is no network is refused by name") {
  CHECK_THROWS_SAYING(given_model("resnet9", 1), InputError, "one of conv, mobile, resnet8");
  CHECK_THROWS_SAYING(given_model("no-such-file.json", 1), InputError, "no-such-file.json");
  CHECK_THROWS_SAYING(given_model("no-such-file.safetensors", 1), InputError, "no-such-file.safetensors");
  CHECK_THROWS_SAYING(given_model("b-resnet20", 1), InputError, "2 side exits");
  const testing::TempFolder folder;
  write_file_atomic(folder / "broken.json", "{\"name\": 3");
  CHECK_THROWS_SAYING(given_model((folder / "broken.json").string(), 1), InputError, "broken.json");
}

TEST_CASE("peers networks: the standing set has the published multiply-adds") {
  const std::map<std::string, double> macs = {{"conv", 103'488},
                                              {"mobile", 931'104},
                                              {"resnet8", 9'345'920},
                                              {"resnet20", 31'021'952},
                                              {"alexnet", 20'441'856},
                                              {"ds-cnn", 2'656'768},
                                              {"mobilenet-0.25", 7'489'664},
                                              {"cifar-resnet20", 40'813'184},
                                              {"cifar-alexnet", 28'247'296}};
  CHECK(macs.size() == network_set().size());
  for (const std::string& name : network_set()) {
    CAPTURE(name);
    if (macs.at(name) > 1e7) continue;  // models/networks.def and the smaller ones have their layers
    CHECK(cost_of(given_model(name, 1), 0.0).macs == macs.at(name));
  }
}

TEST_CASE("peers networks: a plan of the graph answers as the network does in f64, and pictures differ") {
  for (const char* name : {"conv", "mobile", "ds-cnn"}) {
    CAPTURE(name);
    const Workload workload = given_workload(name, 1, 4);
    const testing::TempFolder folder;
    save_workload(folder.path(), workload);
    const Workload read = load_workload(folder.path());
    CHECK(read.model.is_graph());
    CHECK(read.expected.to_vector<double>() == workload.expected.to_vector<double>());
    runtime::Graph graph = read.model.graph;
    graph.classifies = false;  // logits
    const runtime::Plan plan(graph);
    runtime::Workspace memory(plan);
    const auto results = plan.run(read.pixels.data<float>(), 4, memory);
    CHECK(worst(read.expected.to_vector<double>(), results.output) < 1e-5);
    const std::vector<double> rows = read.expected.to_vector<double>();
    CHECK(std::abs(rows[0] - rows[static_cast<std::size_t>(read.model.width)]) > 1e-3);
    const float* p = read.pixels.data<float>();
    CHECK(std::ranges::all_of(std::span(p, static_cast<std::size_t>(read.pixels.numel())),
                              [](float v) { return v > 0.0F && v < 1.0F; }));
  }
}

TEST_CASE("peers networks: files bring their weights, and a softmax at the end is left out") {
  const testing::TempFolder folder;
  const NetworkSpec spec{"net", {1, 6, 6}, {kinds::Flatten{}, kinds::Linear{.out = 4}, kinds::Softmax{}}, {}};
  const Network network(spec, 5);
  ModelInfo info;
  info.model = "net";
  info.dataset = "unknown";
  save_model(folder / "mine.safetensors", network, info);
  const PeerModel model = given_model((folder / "mine.safetensors").string(), 1);
  CHECK(model.name == "mine");
  CHECK(model.spec.trunk.size() == 2);
  CHECK(model.graph.nodes.back().dense.fp32 == network.state_dict()[0].second.to_vector<float>());
  write_file_atomic(folder / "mine.json", to_json(spec));
  CHECK(given_model((folder / "mine.json").string(), 1).width == 4);
}

TEST_CASE("peers networks: the layer without a counterpart is named") {
  CHECK(missing_counterpart(small({kinds::Relu{}, kinds::Flatten{}, kinds::Linear{.out = 3}}).graph).empty());
  const std::string why =
      missing_counterpart(small({kinds::Flatten{}, kinds::Linear{.out = 3}, kinds::Tanh{}}).graph);
  CHECK(why == "has no counterpart for trunk.2, tanh to (3)");
  const std::string dilated = missing_counterpart(
      small({kinds::MaxPool2d{.kernel_size = 2, .dilation = 2}, kinds::Flatten{}, kinds::Linear{.out = 3}})
          .graph);
  CHECK(dilated.find("trunk.0, max_pool2d") != std::string::npos);
}

TEST_CASE("peers networks: rectifiers join what they alone read, and go in front of pools") {
  const auto conv = kinds::Conv2d{.out = 2, .kernel_size = 3, .padding = 1};
  const PeerModel model = small({conv, kinds::Relu6{}, kinds::Flatten{}, kinds::Linear{.out = 3}});
  CHECK(with_rectifiers(model.graph, 1) == 3);
  CHECK(reader_count(model.graph, 3) == 1);
  const PeerModel block = small({kinds::Residual{{conv}, {}}, kinds::Relu{}, kinds::Flatten{}});
  CHECK(with_rectifiers(block.graph, 1) == 1);
  CHECK(with_rectifiers(block.graph, 2) == 3);
  const PeerModel pooled = small({conv, kinds::Relu{}, kinds::MaxPool2d{.kernel_size = 2, .stride = 2},
                                  kinds::Flatten{}, kinds::Linear{.out = 3}});
  CHECK(pooled.graph.nodes[1].kind == runtime::Kind::relu);
  CHECK(pooled.graph.nodes[1].shape == Shape{2, 9, 7});
  CHECK(pooled.graph.nodes[2].kind == runtime::Kind::max_pool2d);
}

TEST_CASE("peers networks: bytes of pixels are pixels, those of rectified values have no zero point") {
  PeerModel model = small(
      {kinds::Conv2d{.out = 2, .kernel_size = 3}, kinds::Relu{}, kinds::Flatten{}, kinds::Linear{.out = 3}});
  model.calibration = pictures(2, 8, model.spec.input);
  const auto ranges = value_ranges(model);
  REQUIRE(ranges.size() == model.graph.nodes.size() + 1);
  CHECK(ranges[0].scale == 1.0F / 255.0F);
  CHECK(ranges[1].zero_point > 0);
  CHECK(ranges[2].zero_point == 0);
  CHECK(ranges[3].scale == ranges[2].scale);
}
